//! What proto2, proto3 and the editions differ in, resolved to one set of features
//! (protobuf.dev/editions/features): each declaration inherits those around it.

/// Features as declared: 0 where nothing is said.
#[derive(Default, Clone, Copy)]
pub(super) struct Features {
    field_presence: i32,
    enum_type: i32,
    repeated_field_encoding: i32,
    message_encoding: i32,
}

/// How a field tells "absent" from "default".
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Explicit,
    Implicit,
    Required,
}

const EDITION_2023: i32 = 1000;

impl Features {
    /// The defaults of a file, or nothing when its syntax or edition is not one we know.
    pub(super) fn of_file(syntax: &str, edition: i32) -> Option<Self> {
        match (syntax, edition) {
            ("" | "proto2", _) => Some(Self { field_presence: 1, enum_type: 2, repeated_field_encoding: 2, message_encoding: 1 }),
            ("proto3", _) => Some(Self { field_presence: 2, enum_type: 1, repeated_field_encoding: 1, message_encoding: 1 }),
            ("editions", EDITION_2023) => {
                Some(Self { field_presence: 1, enum_type: 1, repeated_field_encoding: 1, message_encoding: 1 })
            }
            _ => None,
        }
    }

    /// Sets a field of `google.protobuf.FeatureSet` by number.
    pub(super) fn set(&mut self, number: u32, value: i32) {
        match number {
            1 => self.field_presence = value,
            2 => self.enum_type = value,
            3 => self.repeated_field_encoding = value,
            5 => self.message_encoding = value,
            _ => {}
        }
    }

    /// `inner`, with what it leaves open taken from here.
    pub(super) fn with(self, inner: Self) -> Self {
        let pick = |inner: i32, outer: i32| if inner == 0 { outer } else { inner };
        Self {
            field_presence: pick(inner.field_presence, self.field_presence),
            enum_type: pick(inner.enum_type, self.enum_type),
            repeated_field_encoding: pick(inner.repeated_field_encoding, self.repeated_field_encoding),
            message_encoding: pick(inner.message_encoding, self.message_encoding),
        }
    }

    pub(super) fn presence(self) -> Presence {
        match self.field_presence {
            2 => Presence::Implicit,
            3 => Presence::Required,
            _ => Presence::Explicit,
        }
    }

    pub(super) fn closed_enum(self) -> bool {
        self.enum_type == 2
    }

    pub(super) fn packed(self) -> bool {
        self.repeated_field_encoding == 1
    }

    pub(super) fn delimited(self) -> bool {
        self.message_encoding == 2
    }
}
