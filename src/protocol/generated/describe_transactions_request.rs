//! `DescribeTransactionsRequest` of kafka-clients-4.4.0; written by `tools/codegen`, not by hand.

use std::borrow::Cow;

use crate::protocol::api_key::ApiKey;
use crate::protocol::errors::{DecodeError, EncodeError};
use crate::protocol::reader::Reader;
use crate::protocol::types::{UnknownTags, VersionRange};
use crate::protocol::writer::Writer;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct DescribeTransactionsRequest<'a> {
    pub transactional_ids: Vec<Cow<'a, str>>,
    pub unknown_tags: UnknownTags<'a>,
}

impl<'a> DescribeTransactionsRequest<'a> {
    pub const KEY: ApiKey = ApiKey::DescribeTransactions;
    pub const LATEST_STABLE: i16 = 0;
    pub const VERSIONS: VersionRange = VersionRange { min: 0, max: 0 };

    pub fn decode(r: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        r.check(Self::VERSIONS, version)?;
        Ok(Self { transactional_ids: r.strings(true)?, unknown_tags: r.tags(true)? })
    }

    pub fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
        w.check("DescribeTransactionsRequest", Self::VERSIONS, version)?;
        w.strings(&self.transactional_ids, true)?;
        w.tags(self.unknown_tags, true, version)?;
        Ok(())
    }
}
