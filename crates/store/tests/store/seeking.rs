//! What is sought in a list: the databases, and a plain reading of the same filter and order, agree on what is found, page by
//! page.

use std::{cmp::Ordering, fmt::Write as _};

use chrono::{DateTime, Utc};
use fastrand::Rng;
use uuid::Uuid;
use weft_store::{
    PageTokens, Read, StoreError,
    filter::{Field, Kind, List, Place, Sought, Value},
    statements,
};

use crate::support::{Bench, INSERT_NOTE, LIST_NAMES, Thing, call, cause, insert, on_both, tenant, thing};

statements! {
    SEEK_THINGS =
        "SELECT id, name, quantity, active, meta, payload, seen_at, gone_at FROM things \
         WHERE tenant_id = $1/*conditions*/ ORDER BY /*order*/id LIMIT $2";
}

static THINGS: List = List {
    fields: &[
        Field { name: "name", kind: Kind::Text, place: Place::Column("name"), order: Some("payload") },
        Field { name: "word", kind: Kind::Word(WORDS), place: Place::Column("name"), order: None },
        Field { name: "quantity", kind: Kind::Integer, place: Place::Column("quantity"), order: Some("quantity") },
        Field { name: "active", kind: Kind::Bool, place: Place::Column("active"), order: None },
        Field { name: "seen.time", kind: Kind::Time, place: Place::Column("seen_at"), order: Some("seen_at") },
        Field { name: "gone_time", kind: Kind::Time, place: Place::Nullable("gone_at"), order: None },
        Field { name: "id", kind: Kind::Uuid, place: Place::Column("id"), order: None },
        Field { name: "notes.id", kind: Kind::Uuid, place: Place::Rows { select: NOTES, column: "n.id" }, order: None },
    ],
    default_order: "seen.time desc",
};

const WORDS: &[(&str, &str)] = &[("WORD_FIRST", "n0"), ("WORD_SECOND", "n1"), ("WORD_ABSENT", "none")];
const NOTES: &str = "SELECT 1 FROM notes AS n WHERE n.tenant_id = things.tenant_id AND n.thing_id = things.id";
const NAMES: [&str; 8] = ["n0", "n1", "N1", "\u{e9}t\u{e9}", "a \"b\" 'c' \\", "' OR 1=1 --", "100% $1 ?", "*"];
const TIMES: [&str; 4] =
    ["1999-12-31T23:59:59.999999Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z", "2026-06-01T12:00:00.000001Z"];

/// A thing with the ids of its notes.
struct Noted {
    thing: Thing,
    notes: Vec<Uuid>,
}

fn time(index: usize) -> DateTime<Utc> {
    TIMES[index].parse().unwrap()
}

fn draw(rng: &mut Rng) -> Vec<Noted> {
    let draw = |index: usize| {
        let name = NAMES.get(index).map_or_else(|| format!("x{index}"), |name| (*name).to_owned());
        let quantity = *rng.choice([0, 1, 2, 3, i64::MAX].iter()).unwrap();
        let gone_at = rng.bool().then(|| time(rng.usize(..TIMES.len())));
        let seen_at = time(rng.usize(..TIMES.len()));
        let payload = name.clone().into_bytes();
        let notes = (0..rng.usize(..3)).map(|_| Uuid::now_v7()).collect();
        Noted { thing: Thing { quantity, active: rng.bool(), seen_at, gone_at, payload, ..thing(&name) }, notes }
    };
    (0..24).map(draw).collect()
}

async fn add(bench: &Bench, tenant: weft_call::TenantId, things: &[Noted]) {
    let write = async |tx: weft_store::Tx| {
        for noted in things {
            insert(&tx, &noted.thing).await?;
            for note in &noted.notes {
                tx.run(&INSERT_NOTE).bind(*note).bind(noted.thing.id).execute().await?;
            }
        }
        Ok(())
    };
    bench.store.write(&call(tenant), write).await.unwrap();
}

/// A filter, as a tree of its own beside the one that is tested.
enum Wanted {
    And(Box<Wanted>, Box<Wanted>),
    Or(Box<Wanted>, Box<Wanted>),
    Not(Box<Wanted>),
    Is { field: &'static str, operator: &'static str, value: String, holds: Box<dyn Fn(&Noted) -> bool> },
}

impl Wanted {
    fn draw(rng: &mut Rng, things: &[Noted], depth: usize) -> Self {
        let inner = |rng: &mut Rng| Box::new(Self::draw(rng, things, depth - 1));
        match rng.usize(..if depth == 0 { 1 } else { 5 }) {
            1 => Self::And(inner(rng), inner(rng)),
            2 => Self::Or(inner(rng), inner(rng)),
            3 => Self::Not(inner(rng)),
            _ => Self::comparison(rng, things),
        }
    }

    fn comparison(rng: &mut Rng, things: &[Noted]) -> Self {
        let one = &things[rng.usize(..things.len())];
        let (operator, equals) = equality(rng);
        let is = |field, value: String, holds: Box<dyn Fn(&Noted) -> bool>| Self::Is { field, operator, value, holds };
        match rng.usize(..9) {
            0 => {
                let name = one.thing.name.clone();
                is("name", quoted(rng, &name), Box::new(move |noted| equals == (noted.thing.name == name)))
            }
            1 => {
                let (word, name) = *rng.choice(WORDS.iter()).unwrap();
                is("word", word.to_owned(), Box::new(move |noted| equals == (noted.thing.name == name)))
            }
            2 => {
                let active = rng.bool();
                is("active", active.to_string(), Box::new(move |noted| equals == (noted.thing.active == active)))
            }
            3 => {
                let id = one.thing.id;
                is("id", id.to_string(), Box::new(move |noted| equals == (noted.thing.id == id)))
            }
            4 => {
                let id = one.notes.first().copied().unwrap_or_else(Uuid::now_v7);
                let holds = Box::new(move |noted: &Noted| noted.notes.contains(&id));
                Self::Is { field: "notes.id", operator: ":", value: id.to_string(), holds }
            }
            5 => {
                let holds = Box::new(|noted: &Noted| !noted.notes.is_empty());
                Self::Is { field: "notes.id", operator: ":", value: "*".to_owned(), holds }
            }
            6 => {
                let holds = Box::new(|noted: &Noted| noted.thing.gone_at.is_some());
                Self::Is { field: "gone_time", operator: ":", value: "*".to_owned(), holds }
            }
            7 => {
                let (number, (operator, admits)) = (one.thing.quantity, ordering(rng));
                let holds = Box::new(move |noted: &Noted| admits(noted.thing.quantity.cmp(&number)));
                Self::Is { field: "quantity", operator, value: number.to_string(), holds }
            }
            _ => Self::moment(rng),
        }
    }

    fn moment(rng: &mut Rng) -> Self {
        let index = rng.usize(..TIMES.len());
        let (moment, (operator, admits)) = (time(index), ordering(rng));
        let value = if rng.bool() { TIMES[index].to_owned() } else { quoted(rng, TIMES[index]) };
        if rng.bool() {
            let holds = Box::new(move |noted: &Noted| admits(noted.thing.seen_at.cmp(&moment)));
            return Self::Is { field: "seen.time", operator, value, holds };
        }
        // What is not set differs from everything.
        let of = move |gone: DateTime<Utc>| admits(gone.cmp(&moment));
        let holds = Box::new(move |noted: &Noted| noted.thing.gone_at.map_or(operator == "!=", of));
        Self::Is { field: "gone_time", operator, value, holds }
    }

    fn holds(&self, noted: &Noted) -> bool {
        match self {
            Self::And(a, b) => a.holds(noted) && b.holds(noted),
            Self::Or(a, b) => a.holds(noted) || b.holds(noted),
            Self::Not(a) => !a.holds(noted),
            Self::Is { holds, .. } => holds(noted),
        }
    }

    /// With parentheses only where the grammar wants them: `OR` binds closer than `AND`, and `NOT` than both.
    fn write(&self, rng: &mut Rng, text: &mut String) {
        match self {
            Self::And(a, b) => {
                a.write(rng, text);
                text.push_str(if rng.bool() { " AND " } else { "  " });
                b.write(rng, text);
            }
            Self::Or(a, b) => {
                a.write_within(rng, text, matches!(**a, Self::And(..)));
                text.push_str(" OR ");
                b.write_within(rng, text, matches!(**b, Self::And(..)));
            }
            Self::Not(a) => {
                text.push_str(if rng.bool() { "NOT " } else { "-" });
                a.write_within(rng, text, matches!(**a, Self::And(..) | Self::Or(..)));
            }
            Self::Is { field, operator, value, .. } => {
                let space = if rng.bool() && *operator != ":" { " " } else { "" };
                write!(text, "{field}{space}{operator}{space}{value}").unwrap();
            }
        }
    }

    fn write_within(&self, rng: &mut Rng, text: &mut String, is_needed: bool) {
        if is_needed || rng.u8(..8) == 0 {
            text.push('(');
            self.write(rng, text);
            text.push(')');
        } else {
            self.write(rng, text);
        }
    }
}

fn equality(rng: &mut Rng) -> (&'static str, bool) {
    if rng.bool() { ("=", true) } else { ("!=", false) }
}

/// An operator, and how what it admits compares.
type Comparison = (&'static str, fn(Ordering) -> bool);

fn ordering(rng: &mut Rng) -> Comparison {
    let operators: [Comparison; 6] = [
        ("=", Ordering::is_eq),
        ("!=", Ordering::is_ne),
        ("<", Ordering::is_lt),
        ("<=", Ordering::is_le),
        (">", Ordering::is_gt),
        (">=", Ordering::is_ge),
    ];
    operators[rng.usize(..operators.len())]
}

fn quoted(rng: &mut Rng, text: &str) -> String {
    let quote = if rng.bool() { '"' } else { '\'' };
    let escaped = text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
    format!("{quote}{escaped}{quote}")
}

/// Up to three fields, each one way or the other.
struct Sorting(Vec<(&'static str, bool)>);

impl Sorting {
    fn draw(rng: &mut Rng) -> Self {
        let mut fields = ["quantity", "seen.time", "name"];
        rng.shuffle(&mut fields);
        Self(fields.into_iter().take(rng.usize(..=3)).map(|field| (field, rng.bool())).collect())
    }

    fn text(&self) -> String {
        let part = |(field, is_descending): &(&str, bool)| format!("{field}{}", if *is_descending { " desc" } else { "" });
        self.0.iter().map(part).collect::<Vec<_>>().join(", ")
    }

    fn compare(&self, a: &Thing, b: &Thing) -> Ordering {
        let keys = if self.0.is_empty() { &[("seen.time", true)][..] } else { &self.0 };
        let by = |(field, is_descending): &(&str, bool)| {
            let ordering = match *field {
                "quantity" => a.quantity.cmp(&b.quantity),
                "seen.time" => a.seen_at.cmp(&b.seen_at),
                "name" => a.name.as_bytes().cmp(b.name.as_bytes()),
                _ => a.id.cmp(&b.id),
            };
            if *is_descending { ordering.reverse() } else { ordering }
        };
        let last = keys.last().is_some_and(|(_, is_descending)| *is_descending);
        keys.iter().chain([&("id", last)]).map(by).find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal)
    }
}

fn place(thing: &Thing, field: &str) -> Value {
    match field {
        "quantity" => Value::Integer(thing.quantity),
        "seen.time" => Value::Time(thing.seen_at),
        "name" => Value::Bytes(thing.name.clone()),
        _ => Value::Uuid(thing.id),
    }
}

/// One page, and the token of the next.
async fn page(
    bench: &Bench,
    tokens: &PageTokens,
    sought: &Sought,
    token: &str,
    size: usize,
    call: &weft_call::Call,
) -> (Vec<Thing>, String) {
    let page = tokens.page(call, "things", sought, token).unwrap();
    let limit = i64::try_from(size + 1).unwrap();
    let read = async |read: Read| Ok(read.run(&SEEK_THINGS).bind(limit).seek(&page).fetch_all::<Thing>().await?);
    let mut found = bench.store.read(call, read).await.unwrap();
    let goes_on = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| goes_on).map(|last| tokens.behind(call, "things", sought, |field| place(last, field)));
    (found, next.transpose().unwrap().unwrap_or_default())
}

on_both! {
    async fn a_database_finds_what_a_filter_says_in_the_order_that_is_asked_for(bench) {
        let (mine, other, mut rng) = (tenant(), tenant(), Rng::with_seed(6));
        let things = draw(&mut rng);
        add(&bench, mine, &things).await;
        add(&bench, other, &draw(&mut rng)).await;
        let (call, tokens) = (call(mine), bench.store.page_tokens());
        let mut sizes = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let (depth, mut text) = (rng.usize(..4), String::new());
            let wanted = Wanted::draw(&mut rng, &things, depth);
            wanted.write(&mut rng, &mut text);
            let (sorting, size) = (Sorting::draw(&mut rng), rng.usize(1..9));
            let mut expected: Vec<_> = things.iter().filter(|noted| wanted.holds(noted)).map(|noted| &noted.thing).collect();
            expected.sort_by(|a, b| sorting.compare(a, b));
            let sought = THINGS.seek(&text, &sorting.text()).unwrap_or_else(|error| panic!("{text}: {error}"));
            let (mut found, mut token) = (Vec::new(), String::new());
            loop {
                let (things, next) = page(&bench, tokens, &sought, &token, size, &call).await;
                found.extend(things);
                token = next;
                if token.is_empty() {
                    break;
                }
            }
            let names = |things: &[&Thing]| things.iter().map(|thing| thing.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&found.iter().collect::<Vec<_>>()), names(&expected), "{text} by {}", sorting.text());
            sizes.insert(found.len());
        }
        // The filters told things apart.
        assert!(sizes.len() > 10, "{sizes:?}");
    }

    async fn a_statement_without_a_place_for_what_is_sought_is_refused(bench) {
        let page = THINGS.seek("active = true", "").unwrap().page(None).unwrap();
        let read = async |read: Read| Ok(read.run(&LIST_NAMES).seek(&page).fetch_values::<String>().await?);
        let error = bench.store.read(&call(tenant()), read).await.unwrap_err();
        assert!(matches!(cause(&error), StoreError::MarkMissing { statement: "LIST_NAMES", .. }), "{error:?}");
    }

    async fn a_token_of_another_order_is_refused_whatever_it_holds(bench) {
        let (call, tokens) = (call(tenant()), bench.store.page_tokens());
        let [by_time, by_name] = ["", "name"].map(|order| THINGS.seek("", order).unwrap());
        let token = tokens.behind(&call, "things", &by_time, |field| place(&thing("a"), field)).unwrap();
        assert!(tokens.page(&call, "things", &by_time, &token).is_ok());
        assert!(tokens.page(&call, "things", &by_name, &token).is_err());
        assert!(tokens.page(&call, "others", &by_time, &token).is_err());
        // As an earlier version might have sealed it.
        let stale = tokens.seal(&call, &format!("things {}", by_time.binding()), &["2026"]).unwrap();
        assert!(tokens.page(&call, "things", &by_time, &stale).is_err());
    }
}
