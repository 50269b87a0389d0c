//! Kafka's configuration keys as a table: each key's type, default, validator and documentation.
//!
//! A table is text that a small Java program extracts from Kafka's own `ConfigDef`
//! (`tests/vectors/java/ConfigTables.java`), one line a key:
//!
//! ```text
//! name TAB type TAB default TAB validator TAB importance TAB update mode TAB public|internal TAB
//! server synonyms TAB documentation
//! ```
//!
//! A default is `none` (the key must be given), `null`, or `=` and its text. Synonyms are separated
//! by commas and may carry a factor (`log.retention.hours*3600000`). The lines stand in the order in
//! which Kafka's DescribeConfigs answers. Deliberately absent: what a key does.

mod entry;
mod validator;
mod value;

pub use entry::{ConfigEntry, ConfigSource, ConfigSynonym};
pub use validator::Validator;
pub use value::{ConfigValue, InvalidConfig};

/// A key's type (`org.apache.kafka.common.config.ConfigDef.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`, in any case.
    Boolean,
    /// Text without surrounding blanks.
    String,
    /// A 32-bit number.
    Int,
    /// A 16-bit number.
    Short,
    /// A 64-bit number.
    Long,
    /// A floating-point number.
    Double,
    /// Texts separated by commas.
    List,
    /// The name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

impl ConfigType {
    /// The type's number in a DescribeConfigs answer (`DescribeConfigsResponse.ConfigType`).
    pub const fn code(self) -> i8 {
        match self {
            ConfigType::Boolean => 1,
            ConfigType::String => 2,
            ConfigType::Int => 3,
            ConfigType::Short => 4,
            ConfigType::Long => 5,
            ConfigType::Double => 6,
            ConfigType::List => 7,
            ConfigType::Class => 8,
            ConfigType::Password => 9,
        }
    }

    /// Kafka's name of the type, as its error messages have it.
    pub const fn name(self) -> &'static str {
        match self {
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }

    fn parse(name: &str) -> Option<ConfigType> {
        const ALL: [ConfigType; 9] = [
            ConfigType::Boolean,
            ConfigType::String,
            ConfigType::Int,
            ConfigType::Short,
            ConfigType::Long,
            ConfigType::Double,
            ConfigType::List,
            ConfigType::Class,
            ConfigType::Password,
        ];
        ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A broker key whose value is a topic key's default, times a factor (hours to milliseconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSynonym {
    /// The broker key.
    pub name: &'static str,
    /// What its number is multiplied by.
    pub factor: i64,
}

/// One line of a table.
#[derive(Clone, Debug)]
pub struct ConfigKey {
    /// The key as it stands in files and requests.
    pub name: &'static str,
    /// The type of its value.
    pub kind: ConfigType,
    /// The default's text; `None` where Kafka's default is null or the key must be given.
    pub default: Option<&'static str>,
    /// What its value must hold to beyond the type.
    pub validator: Validator,
    /// Internal keys are accepted and never described.
    pub internal: bool,
    /// For a topic key the broker keys of its default; for a broker key it and its other forms.
    /// The first that is set wins.
    pub synonyms: Vec<ServerSynonym>,
    documentation: &'static str,
}

impl ConfigKey {
    /// Kafka's documentation of the key: text with HTML tags.
    pub fn documentation(&self) -> String {
        self.documentation.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
    }

    /// Whether its value must never be shown.
    pub fn sensitive(&self) -> bool {
        self.kind == ConfigType::Password
    }

    fn parse_line(line: &'static str) -> Option<ConfigKey> {
        let mut cells = line.split('\t');
        let name = cells.next()?;
        let kind = ConfigType::parse(cells.next()?)?;
        let default = match cells.next()? {
            "none" | "null" => None,
            text => Some(text.strip_prefix('=')?),
        };
        let validator = Validator::parse(kind, cells.next()?)?;
        let _importance = cells.next()?;
        let _update_mode = cells.next()?;
        let internal = cells.next()? == "internal";
        let synonyms = cells.next()?.split(',').filter(|text| !text.is_empty());
        let synonyms = synonyms.map(parse_synonym).collect::<Option<_>>()?;
        let documentation = cells.next()?;
        Some(ConfigKey { name, kind, default, validator, internal, synonyms, documentation })
    }
}

fn parse_synonym(text: &'static str) -> Option<ServerSynonym> {
    match text.split_once('*') {
        None => Some(ServerSynonym { name: text, factor: 1 }),
        Some((name, factor)) => Some(ServerSynonym { name, factor: factor.parse().ok()? }),
    }
}

/// All keys of one kind of resource, in the order of a DescribeConfigs answer.
#[derive(Debug)]
pub struct ConfigTable {
    keys: Vec<ConfigKey>,
    by_name: Vec<usize>,
}

impl ConfigTable {
    /// Reads committed tables, one after the other, with other defaults for some keys.
    ///
    /// # Panics
    /// On a malformed table: the text is part of the program, so this is a programmer's error.
    pub fn parse(texts: &[&'static str], defaults: &[(&str, &'static str)]) -> ConfigTable {
        let lines = texts.iter().flat_map(|text| text.lines());
        let mut keys: Vec<ConfigKey> = lines
            .map(|line| ConfigKey::parse_line(line).expect("a committed table is well formed"))
            .collect();
        for (name, default) in defaults {
            let key = keys.iter_mut().find(|key| key.name == *name);
            key.expect("a default is for a key of the table").default = Some(default);
        }
        let mut by_name: Vec<usize> = (0..keys.len()).collect();
        by_name.sort_unstable_by_key(|&index| keys[index].name);
        ConfigTable { keys, by_name }
    }

    /// Every key, in the order of a DescribeConfigs answer, internal ones too.
    pub fn keys(&self) -> &[ConfigKey] {
        &self.keys
    }

    /// A key's place among `keys()`.
    pub fn position(&self, name: &str) -> Option<usize> {
        let found = self.by_name.binary_search_by(|&index| self.keys[index].name.cmp(name));
        found.ok().map(|at| self.by_name[at])
    }

    /// The key of that name.
    pub fn find(&self, name: &str) -> Option<&ConfigKey> {
        self.position(name).map(|index| &self.keys[index])
    }
}
