//! Constraints: what `buf.validate` says of a field, as JSON Schema says it.
//!
//! Two things are asked of a field's rules: what its values must be, and whether the value that stands for "not set"
//! breaks them, which is what makes a field required.

use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, Value};

use crate::{
    described::Described,
    json::{Json, Object},
};

/// Rules of numbers and the keywords for them.
const BOUNDS: [(&str, &str); 4] =
    [("gte", "minimum"), ("lte", "maximum"), ("gt", "exclusiveMinimum"), ("lt", "exclusiveMaximum")];

/// The keyword of our own for the least size of a text in UTF-8.
pub(crate) const LEAST_BYTES: &str = "x-min-bytes";

/// The rules that stand on a field, or on the items of one.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) required: bool,
    /// The zero value is as good as none.
    pub(crate) spares_zero: bool,
    /// The zero value and every other is good.
    ignored: bool,
    of_type: Option<DynamicMessage>,
}

impl Rules {
    pub(crate) fn of(described: &Described, field: &FieldDescriptor) -> Self {
        match described.option(&field.options(), "buf.validate.field") {
            Some(Value::Message(rules)) => Self::read(&rules),
            _ => Self::default(),
        }
    }

    fn read(rules: &DynamicMessage) -> Self {
        let ignore = set(rules, "ignore").and_then(|value| value.as_enum_number()).unwrap_or_default();
        let of_type = rules.fields().find_map(|(field, value)| match value {
            Value::Message(of_type) if field.containing_oneof().is_some() => Some(of_type.clone()),
            _ => None,
        });
        // buf.validate.Ignore: IGNORE_IF_ZERO_VALUE = 1, IGNORE_ALWAYS = 3.
        Self { required: is_true(rules, "required"), spares_zero: ignore == 1, ignored: ignore == 3, of_type }
    }

    /// The rules of the items of a list, or of the keys or values of a map.
    pub(crate) fn part(&self, part: &str) -> Self {
        match self.of_type.as_ref().and_then(|rules| set(rules, part)) {
            Some(Value::Message(rules)) => Self::read(&rules),
            _ => Self::default(),
        }
    }

    fn get(&self, rule: &str) -> Option<Value> {
        self.of_type.as_ref().filter(|_| !self.ignored).and_then(|rules| set(rules, rule))
    }

    fn count(&self, rule: &str) -> Option<u64> {
        self.get(rule).and_then(|value| value.as_u64())
    }

    fn asks(&self, rule: &str) -> bool {
        matches!(self.get(rule), Some(Value::Bool(true)))
    }

    fn text(&self, rule: &str) -> Option<String> {
        self.get(rule).and_then(|value| value.as_str().map(str::to_owned))
    }

    /// The values of `in` or `not_in`, or of `const` as the only one that is in.
    fn listed(&self, rule: &str) -> Option<Vec<Value>> {
        match self.get(rule) {
            Some(Value::List(values)) if !values.is_empty() => Some(values),
            _ if rule == "in" => self.get("const").map(|value| vec![value]),
            _ => None,
        }
    }

    /// The schema with these rules on it.
    pub(crate) fn constrain(&self, schema: Object, field: &FieldDescriptor, kind: &Kind) -> Object {
        if field.is_map() {
            let schema = schema.with_some("minProperties", self.count("min_pairs").or(self.required.then_some(1)));
            return schema.with_some("maxProperties", self.count("max_pairs"));
        }
        if field.is_list() {
            let schema = schema.with_some("minItems", self.count("min_items").or(self.required.then_some(1)));
            let schema = schema.with_some("maxItems", self.count("max_items"));
            return schema.with_some("uniqueItems", self.asks("unique").then_some(true));
        }
        let refuses_zero = self.refuses_zero(kind);
        let schema = self.constrain_value(schema, kind);
        match zero(kind) {
            Some(zero) if self.spares_zero && refuses_zero => spared(schema, zero),
            _ => schema,
        }
    }

    /// The schema of one value with these rules on it.
    pub(crate) fn constrain_value(&self, schema: Object, kind: &Kind) -> Object {
        match kind {
            Kind::String => self.constrain_text(schema),
            Kind::Bytes => {
                // Four characters hold three bytes.
                let least = self.count("min_len").or(self.count("len")).map(|bytes| (bytes * 4).div_ceil(3));
                let most = self.count("max_len").or(self.count("len")).map(|bytes| bytes.div_ceil(3) * 4);
                schema.with_some("minLength", least).with_some("maxLength", most)
            }
            Kind::Enum(found) => self.constrain_enum(schema, found),
            Kind::Bool | Kind::Message(_) => schema,
            _ => self.constrain_number(schema, kind),
        }
    }

    fn constrain_text(&self, schema: Object) -> Object {
        const FORMATS: [(&str, &str); 7] = [
            ("email", "email"),
            ("hostname", "hostname"),
            ("ip", "ip"),
            ("ipv4", "ipv4"),
            ("ipv6", "ipv6"),
            ("uri", "uri"),
            ("uuid", "uuid"),
        ];
        let format = FORMATS.iter().find(|(rule, _)| self.asks(rule)).map(|(_, format)| *format);
        let (least_bytes, most_bytes) =
            (self.count("min_bytes").or(self.count("len_bytes")), self.count("max_bytes").or(self.count("len_bytes")));
        // JSON Schema counts characters, and one has up to four bytes: what it says must hold for every text that is taken.
        let least = [self.count("min_len"), self.count("len"), least_bytes.map(|bytes| bytes.div_ceil(4))];
        let most = [self.count("max_len"), self.count("len"), most_bytes].into_iter().flatten().min();
        let least = least.into_iter().flatten().max().or(self.required.then_some(1));
        let patterns = [
            self.text("pattern"),
            self.text("prefix").map(|text| format!("^{}", regex::escape(&text))),
            self.text("suffix").map(|text| format!("{}$", regex::escape(&text))),
            self.text("contains").map(|text| regex::escape(&text)),
        ];
        let mut patterns = patterns.into_iter().flatten();
        let mut schema = schema
            .with_some("format", format)
            .with_some("minLength", least)
            .with_some("maxLength", most)
            .with_some(LEAST_BYTES, least_bytes)
            .with_some("x-max-bytes", most_bytes)
            .with_some("pattern", patterns.next())
            .with_some("enum", self.listed("in").map(|values| texts(&values)));
        let rest: Vec<Json> = patterns.map(|pattern| Object::new().with("pattern", pattern).into()).collect();
        if !rest.is_empty() {
            schema.set("allOf", rest);
        }
        let refused = self.listed("not_in").map(|values| Object::new().with("enum", texts(&values)));
        let refused = refused.or(self.text("not_contains").map(|text| Object::new().with("pattern", regex::escape(&text))));
        schema.with_some("not", refused)
    }

    fn constrain_enum(&self, schema: Object, found: &EnumDescriptor) -> Object {
        let (within, without) = (self.listed("in"), self.listed("not_in"));
        if within.is_none() && without.is_none() && !self.required {
            return schema;
        }
        let numbers =
            |values: &[Value]| -> Vec<i32> { values.iter().filter_map(integer).filter_map(|n| i32::try_from(n).ok()).collect() };
        let (within, without) = (within.map(|values| numbers(&values)), without.map(|values| numbers(&values)));
        let is_good = |number: i32| {
            within.as_ref().is_none_or(|within| within.contains(&number))
                && without.as_ref().is_none_or(|without| !without.contains(&number))
                && (number != 0 || !self.required)
        };
        let names = found.values().filter(|value| is_good(value.number()) || value.number() == 0 && self.spares_zero);
        let names: Vec<Json> = names.map(|value| value.name().into()).collect();
        Object::new().with("type", "string").with("enum", names)
    }

    fn constrain_number(&self, schema: Object, kind: &Kind) -> Object {
        if is_written_as_text(kind) {
            // Text has no bounds; the contract's comment says them in words.
            return schema.with_some("enum", self.listed("in").map(|values| texts(&values)));
        }
        let bound = |rule: &str| self.get(rule).and_then(|value| number(&value));
        let mut schema = if self.asks("finite") && matches!(kind, Kind::Float | Kind::Double) {
            Object::new().with("type", "number")
        } else {
            schema
        };
        // Bounds the wrong way round leave out what lies between, which the contract's comment says in words.
        let bounds = if self.is_gap() { &[][..] } else { &BOUNDS[..] };
        for (rule, keyword) in bounds.iter().copied() {
            if let Some(bound) = bound(rule) {
                schema.set(keyword, bound);
            }
        }
        let numbers = |values: Vec<Value>| values.iter().filter_map(number).collect::<Vec<_>>();
        schema = schema.with_some("enum", self.listed("in").map(numbers));
        schema.with_some("not", self.listed("not_in").map(|values| Object::new().with("enum", numbers(values))))
    }

    /// Whether a field must be there: what stands for "not set" is refused.
    pub(crate) fn demands(&self, field: &FieldDescriptor) -> bool {
        if self.required {
            return true;
        }
        if self.spares_zero || self.ignored {
            return false;
        }
        if field.is_map() {
            return self.count("min_pairs").is_some_and(|least| least > 0);
        }
        if field.is_list() {
            return self.count("min_items").is_some_and(|least| least > 0);
        }
        !field.supports_presence() && self.refuses_zero(&field.kind())
    }

    /// Whether the zero of a kind of value breaks the rules.
    fn refuses_zero(&self, kind: &Kind) -> bool {
        match kind {
            Kind::String => self.refuses_empty_text(),
            Kind::Bytes => ["min_len", "len"].iter().any(|rule| self.count(rule).is_some_and(|least| least > 0)),
            Kind::Bool => matches!(self.get("const"), Some(Value::Bool(true))),
            Kind::Message(_) => false,
            _ => self.refuses_zero_number(),
        }
    }

    fn refuses_empty_text(&self) -> bool {
        const WELL_KNOWN: [&str; 7] = ["email", "hostname", "ip", "ipv4", "ipv6", "uri", "uuid"];
        let least = ["min_len", "len", "min_bytes", "len_bytes"].iter().filter_map(|rule| self.count(rule)).max();
        let is_empty = |value: &Value| value.as_str() == Some("");
        WELL_KNOWN.iter().any(|rule| self.asks(rule))
            || least.is_some_and(|least| least > 0)
            || ["prefix", "suffix", "contains"].iter().any(|rule| self.text(rule).is_some_and(|text| !text.is_empty()))
            || self.listed("in").is_some_and(|values| !values.iter().any(is_empty))
            || self.listed("not_in").is_some_and(|values| values.iter().any(is_empty))
            // A pattern that does not compile was refused with the contract.
            || self.text("pattern").is_some_and(|pattern| regex::Regex::new(&pattern).is_ok_and(|pattern| !pattern.is_match("")))
    }

    fn refuses_zero_number(&self) -> bool {
        let is_zero = |value: &Value| real(value) == Some(0.0);
        let bound = |rule: &str| self.get(rule).as_ref().and_then(real);
        let above = bound("gt").map(|least| 0.0 > least).or(bound("gte").map(|least| 0.0 >= least));
        let below = bound("lt").map(|most| 0.0 < most).or(bound("lte").map(|most| 0.0 <= most));
        let is_outside = match (above, below) {
            // Bounds the wrong way round are the two sides of a gap.
            (Some(false), Some(false)) => true,
            (Some(above), Some(below)) if self.is_gap() => !above && !below,
            (above, below) => above == Some(false) || below == Some(false),
        };
        is_outside
            || self.listed("in").is_some_and(|values| !values.iter().any(is_zero))
            || self.listed("not_in").is_some_and(|values| values.iter().any(is_zero))
    }

    fn is_gap(&self) -> bool {
        let bound = |first: &str, second: &str| self.get(first).or(self.get(second)).as_ref().and_then(real);
        matches!((bound("gt", "gte"), bound("lt", "lte")), (Some(least), Some(most)) if most < least)
    }
}

/// The schema, or the zero.
fn spared(schema: Object, zero: Json) -> Object {
    if let Some(Json::List(values)) = schema.get("enum") {
        let mut values = values.clone();
        if !values.contains(&zero) {
            values.push(zero);
        }
        return schema.with("enum", values);
    }
    Object::new().with("anyOf", vec![schema, Object::new().with("const", zero)])
}

/// The JSON of a kind's zero; none where a name stands for it.
fn zero(kind: &Kind) -> Option<Json> {
    match kind {
        Kind::String | Kind::Bytes => Some("".into()),
        Kind::Bool => Some(false.into()),
        Kind::Message(_) | Kind::Enum(_) => None,
        kind if is_written_as_text(kind) => Some("0".into()),
        _ => Some(0_u64.into()),
    }
}

/// Whether JSON holds values of this kind as text, because JavaScript's numbers are too small.
pub(crate) fn is_written_as_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64)
}

fn set(rules: &DynamicMessage, rule: &str) -> Option<Value> {
    rules.has_field_by_name(rule).then(|| rules.get_field_by_name(rule)).flatten().map(std::borrow::Cow::into_owned)
}

fn is_true(rules: &DynamicMessage, rule: &str) -> bool {
    matches!(set(rules, rule), Some(Value::Bool(true)))
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::I32(value) | Value::EnumNumber(value) => Some((*value).into()),
        Value::I64(value) => Some(*value),
        Value::U32(value) => Some((*value).into()),
        Value::U64(value) => i64::try_from(*value).ok(),
        _ => None,
    }
}

#[allow(clippy::cast_precision_loss, reason = "it is compared with zero and with what is of its own size")]
fn real(value: &Value) -> Option<f64> {
    match value {
        Value::F32(value) => Some((*value).into()),
        Value::F64(value) => Some(*value),
        Value::U64(value) => Some(*value as f64),
        other => integer(other).map(|value| value as f64),
    }
}

fn number(value: &Value) -> Option<Json> {
    match value {
        Value::F32(_) | Value::F64(_) => real(value).map(Json::from),
        other => integer(other).map(Json::from),
    }
}

fn texts(values: &[Value]) -> Vec<Json> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(Json::from(text.as_str())),
        other => integer(other).map(|number| number.to_string().into()),
    };
    values.iter().filter_map(text).collect()
}
