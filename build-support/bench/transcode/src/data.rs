//! The texts: the same on every machine.

use serde_json::{Map, Value, json};

/// What a text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Small strings.
    Strings,
    /// Numbers of every kind.
    Numbers,
    /// Messages in repeated messages.
    Nested,
    /// Maps.
    Maps,
}

/// How long a text is, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// 200 bytes.
    Small,
    /// 10 KB.
    Middle,
    /// 1 MB.
    Large,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Strings, Self::Numbers, Self::Nested, Self::Maps];

    /// The message type in `bench.proto`.
    pub fn message(self) -> &'static str {
        match self {
            Self::Strings => "Strings",
            Self::Numbers => "Numbers",
            Self::Nested => "Nested",
            Self::Maps => "Maps",
        }
    }
}

impl Size {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Small, Self::Middle, Self::Large];

    /// The length to reach.
    fn bytes(self) -> usize {
        match self {
            Self::Small => 200,
            Self::Middle => 10_000,
            Self::Large => 1_000_000,
        }
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "200 B",
            Self::Middle => "10 KB",
            Self::Large => "1 MB",
        }
    }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn word(&mut self) -> &'static str {
        const WORDS: [&str; 16] = [
            "Margarete",
            "Ola",
            "de la Fuente",
            "Kowalczyk",
            "Rotterdam",
            "Lisboa",
            "Hauptstrasse",
            "a",
            "north",
            "winter",
            "blue",
            "Nakamura",
            "Okonkwo",
            "quiet",
            "seven",
            "Sankt Gallen",
        ];
        WORDS[self.below(16) as usize]
    }

    fn ratio(&mut self) -> f64 {
        (self.below(2_000_000) as f64 - 1_000_000.0) / 997.0
    }
}

/// JSON of about the given size.
pub fn json_of(shape: Shape, size: Size) -> String {
    let mut dice = Dice(42);
    let (mut items, mut length) = (Vec::new(), 0);
    while length < size.bytes() {
        let item = match shape {
            Shape::Strings => contact(&mut dice),
            Shape::Numbers => sample(&mut dice),
            Shape::Nested => purchase(&mut dice, if size == Size::Small { 1 } else { 4 }),
            Shape::Maps => shelf(&mut dice, if size == Size::Small { 2 } else { 12 }),
        };
        length += item.to_string().len() + 1;
        items.push(item);
    }
    let name = match shape {
        Shape::Strings => "contacts",
        Shape::Numbers => "samples",
        Shape::Nested => "purchases",
        Shape::Maps => "shelves",
    };
    json!({ name: items }).to_string()
}

fn contact(dice: &mut Dice) -> Value {
    json!({
        "id": format!("{:016x}", dice.roll()),
        "firstName": dice.word(),
        "lastName": dice.word(),
        "emailAddress": format!("{}.{}@example.com", dice.below(10_000), dice.below(100)),
        "street": format!("{} {} {}", dice.word(), dice.word(), dice.below(200)),
    })
}

fn sample(dice: &mut Dice) -> Value {
    json!({
        "count": dice.below(100_000),
        "total": (dice.roll() as i64).to_string(),
        "code": dice.below(1_000),
        "delta": dice.below(2_000) as i64 - 1_000,
        "serial": dice.below(1 << 40).to_string(),
        "ratio": dice.ratio(),
        "weight": (dice.below(4_000) as f64) / 16.0,
        "valid": dice.below(2) == 0,
        "steps": (0..4).map(|_| dice.below(1 << 20)).collect::<Vec<_>>(),
        "points": (0..2).map(|_| dice.ratio()).collect::<Vec<_>>(),
    })
}

fn purchase(dice: &mut Dice, lines: u64) -> Value {
    const STATES: [&str; 3] = ["STATE_OPEN", "STATE_PAID", "STATE_SHIPPED"];
    let line = |dice: &mut Dice| {
        json!({
            "sku": format!("SKU-{:06}", dice.below(1_000_000)),
            "quantity": dice.below(20) + 1,
            "price": { "currency": "EUR", "units": dice.below(100_000).to_string() },
            "notes": (0..dice.below(3)).map(|_| json!({ "text": dice.word() })).collect::<Vec<_>>(),
        })
    };
    json!({
        "id": format!("{:016x}", dice.roll()),
        "state": STATES[dice.below(3) as usize],
        "buyer": { "name": dice.word(), "place": { "city": dice.word(), "country": "NL" } },
        "lines": (0..lines).map(|_| line(dice)).collect::<Vec<_>>(),
    })
}

fn shelf(dice: &mut Dice, entries: u64) -> Value {
    let key = |dice: &mut Dice, i: u64| format!("{}-{i}", dice.word());
    let labels: Map<_, _> = (0..entries).map(|i| (key(dice, i), Value::from(dice.word()))).collect();
    let counts: Map<_, _> = (0..entries).map(|i| (key(dice, i), Value::from(dice.below(100_000)))).collect();
    let levels: Map<_, _> = (0..entries).map(|i| ((i * 37).to_string(), Value::from(dice.ratio()))).collect();
    json!({ "labels": labels, "counts": counts, "levels": levels })
}
