//! `ListTransactionsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq)]
pub struct ListTransactionsRequest<'a> {
    pub state_filters: Vec<Cow<'a, str>>,
    pub producer_id_filters: Vec<i64>,
    pub duration_filter: i64,
    pub transactional_id_pattern: Option<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl Default for ListTransactionsRequest<'_> {
    fn default() -> Self {
        Self {
            state_filters: Vec::new(),
            producer_id_filters: Vec::new(),
            duration_filter: -1,
            transactional_id_pattern: None,
            unknown_tags: UnknownTags::default(),
        }
    }
}

impl<'a> ListTransactionsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::ListTransactions;
    pub const LATEST_STABLE: i16 = 2;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 2 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self {
            state_filters: r.strings(true)?,
            producer_id_filters: r.array(true, 8, Reader::i64)?,
            duration_filter: if version >= 1 { r.i64()? } else { -1 },
            transactional_id_pattern: if version >= 2 {
                r.string_or_null(true, true)?
            } else {
                None
            },
            unknown_tags: r.tags(true)?,
        })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("ListTransactionsRequest", Self::VERSIONS, version)?;
        w.strings(&self.state_filters, true)?;
        w.array(&self.producer_id_filters, true, Writer::i64)?;
        if version >= 1 {
            w.i64(self.duration_filter);
        } else {
            w.refuse_if(self.duration_filter != -1, "duration_filter", version)?;
        }
        if version >= 2 {
            w.string_or_null(self.transactional_id_pattern.as_deref(), true)?;
        } else {
            w.refuse_if(
                self.transactional_id_pattern.is_some(),
                "transactional_id_pattern",
                version,
            )?;
        }
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
