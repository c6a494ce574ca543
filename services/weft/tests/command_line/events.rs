//! Events as those who follow them, and those who look after them, meet them: over the edge, and by `weft events`.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::{
    discovery::eventually,
    given::{FREE_PORTS, Given, Started, address, http, weft},
};

const LIMIT: Duration = Duration::from_mins(1);

/// A running weft, and where its edge is.
struct Shop {
    _process: Started,
    edge: String,
    admin: String,
}

/// Somebody who is logged in.
struct Person {
    tenant: String,
    token: String,
}

impl Shop {
    fn open(given: &Given) -> Self {
        let mut process = given.start(&[&["up"][..], &FREE_PORTS].concat());
        let addresses = process.addresses();
        let [edge, admin] = ["edge", "admin"].map(|name| address(&addresses, name).to_owned());
        Self { _process: process, edge, admin }
    }

    /// Opens an account, in a tenant of its own unless one is named, and logs in.
    fn register(&self, name: &str, tenant: Option<&str>) -> Person {
        let (email, password) = (format!("{name}@example.com"), "correct horse");
        let account = json!({"email": email, "password": password, "tenantId": tenant.unwrap_or_default()});
        let (status, user) = http(&self.edge, "POST", "/api/v1/auth/register", &account.to_string());
        assert_eq!(status, 201, "{user}");
        let login = json!({"email": email, "password": password});
        let (status, session) = http(&self.edge, "POST", "/api/v1/auth/login", &login.to_string());
        assert_eq!(status, 200, "{session}");
        let [user, session]: [Value; 2] = [user, session].map(|text| serde_json::from_str(&text).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Person { tenant: text(&user["tenantId"]), token: text(&session["token"]) }
    }

    /// Sends a request as somebody; the answer, from its status line on.
    fn ask(&self, who: Option<&Person>, method: &str, path: &str, header: &str, body: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.edge).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let (host, length) = (&self.edge, body.len());
        let credentials = who.map_or_else(String::new, |who| format!("authorization: Bearer {}\r\n", who.token));
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{credentials}{header}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        BufReader::new(stream)
    }

    /// Makes something.
    fn make(&self, who: &Person, path: &str, header: &str, what: &Value) -> Value {
        let mut answer = String::new();
        self.ask(Some(who), "POST", path, header, &what.to_string()).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 201"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    fn product(&self, who: &Person, name: &str) -> Value {
        let price = json!({"currencyCode": "EUR", "minorUnits": "100"});
        let product = json!({"name": name, "variants": [{"sku": name, "price": price}]});
        self.make(who, "/api/v1/products", "accept: */*", &product)
    }

    /// Sells something; its id.
    fn sell(&self, who: &Person, name: &str) -> String {
        self.product(who, name)["id"].as_str().unwrap().to_owned()
    }

    /// Begins to follow events as lines of one of the forms. It has begun when this returns.
    fn follow(&self, who: &Person, query: &str, accept: &str) -> Followed {
        let mut lines = self.ask(Some(who), "GET", &format!("/api/v1/events{query}"), &format!("accept: {accept}"), "");
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200") && head.contains(accept), "{head}");
        Followed { lines }
    }
}

/// Events as they come.
struct Followed {
    lines: BufReader<TcpStream>,
}

impl Followed {
    /// The next event. What stands between lines is how HTTP/1.1 parts them.
    fn next(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the stream ended");
            let text = line.trim_end();
            if let Some(event) = text.strip_prefix("data: ").or_else(|| text.starts_with('{').then_some(text)) {
                return serde_json::from_str(event).unwrap();
            }
        }
    }

    /// The next event of a topic.
    fn next_of(&mut self, topic: &str) -> Value {
        loop {
            let event = self.next();
            if event["topic"] == topic {
                return event;
            }
        }
    }
}

const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

#[test]
fn people_follow_what_happens_in_their_tenant_from_now_on_or_from_a_place() {
    let given = weft();
    let shop = Shop::open(&given);
    let (ada, eve) = (shop.register("ada", None), shop.register("eve", None));
    let bob = shop.register("bob", Some(&ada.tenant));
    let first = shop.sell(&ada, "first");

    let mut all = shop.follow(&ada, "?after=0", EVENTS);
    let seen = all.next_of("events.product.created");
    assert_eq!((&seen["key"], &seen["source"]), (&json!(first), &json!("catalog")));
    assert_eq!(seen["data"]["@type"], "type.googleapis.com/weft.catalog.v1.ProductCreated");
    assert_eq!((&seen["data"]["productId"], &seen["data"]["name"]), (&json!(first), &json!("first")));
    let place = seen["position"].as_str().unwrap();

    let mut from_now_on = shop.follow(&ada, "?topics=events.product.*", LINES);
    let foreign = shop.sell(&eve, "foreign");
    let second = shop.sell(&ada, "second");
    assert_eq!(from_now_on.next()["key"], json!(second));
    let mut from_place = shop.follow(&ada, &format!("?topics=events.product.*&after={place}"), LINES);
    assert_eq!(from_place.next()["key"], json!(second), "what is another tenant's is passed over");
    assert_eq!(shop.follow(&eve, "?topics=events.product.*&after=0", EVENTS).next()["key"], json!(foreign));

    // Customers may look at products, and not at who logs in.
    let mut public = shop.follow(&bob, "?after=0", LINES);
    for product in [&first, &second] {
        let event = public.next();
        assert_eq!((&event["topic"], &event["key"]), (&json!("events.product.created"), &json!(product)));
    }

    for (who, query, expected, named) in [
        (None, "", "HTTP/1.1 401", "UNAUTHENTICATED"),
        (Some(&ada), "?after=-1", "HTTP/1.1 400", "\"after\""),
        (Some(&ada), "?topics=events.%3F", "HTTP/1.1 400", "\"topics[0]\""),
    ] {
        let mut answer = String::new();
        shop.ask(who, "GET", &format!("/api/v1/events{query}"), "accept: */*", "").read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(expected) && answer.contains(named), "{query}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_as_frames_of_a_websocket() {
    let given = weft();
    let shop = Shop::open(&given);
    let ada = shop.register("ada", None);
    let product = shop.sell(&ada, "teapot");
    let url = format!("ws://{}/api/v1/events?after=0&topics=events.product.*", shop.edge);
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", ada.token).parse().unwrap());
    let stream = tokio::net::TcpStream::connect(&shop.edge).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let frame = tokio::time::timeout(LIMIT, socket.next()).await.expect("an event comes").unwrap().unwrap();
    let event: Value = serde_json::from_str(frame.to_text().unwrap()).unwrap();
    assert_eq!((&event["topic"], &event["key"]), (&json!("events.product.created"), &json!(product)));
}

/// Runs SQL in the events domain's file, beside the process that has it open.
async fn execute(given: &Given, text: &'static str) {
    let file = given.folder.path().join(".weft/events.db");
    let options = SqliteConnectOptions::new().filename(file).busy_timeout(LIMIT);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// What `weft events` prints, a JSON object a line.
fn told(given: &Given, words: &[&str]) -> Vec<Value> {
    let ended = given.run(&[&["events"], words].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_event_cannot_be_handled_is_parked_until_an_operator_has_it_tried_again() {
    let given = weft();
    let shop = Shop::open(&given);
    let ada = shop.register("ada", None);
    execute(
        &given,
        "CREATE TRIGGER broken BEFORE INSERT ON events WHEN NEW.topic = 'events.product.created' \
         BEGIN SELECT RAISE(ABORT, 'a test broke this'); END",
    )
    .await;
    let product = shop.sell(&ada, "teapot");
    // It is tried eight times, with pauses that double.
    let end = Instant::now() + LIMIT;
    while told(&given, &["parked", "--json"]).is_empty() {
        assert!(Instant::now() < end, "nothing is parked");
        std::thread::sleep(Duration::from_secs(1));
    }
    let parked = told(&given, &["parked", "events", "--json"]).remove(0);
    assert_eq!((&parked["domain"], &parked["key"]), (&json!("events"), &json!(product)), "{parked}");
    assert_eq!((&parked["topic"], &parked["source"]), (&json!("events.product.created"), &json!("catalog")));
    assert_eq!((&parked["tenant"], &parked["behind"], &parked["attempts"]), (&json!(ada.tenant), &json!(0), &json!(8)));
    assert!(parked["error"].as_str().unwrap().contains("a test broke this"), "{parked}");
    let metric = |line: &'static str| move |(_, text): &(u16, String)| text.lines().any(|found| found == line);
    eventually(|| http(&shop.admin, "GET", "/metrics", ""), metric("weft_events_parked{domain=\"events\"} 1"));
    // Others flow.
    shop.register("bob", Some(&ada.tenant));
    let mut seen = shop.follow(&ada, "?after=0", LINES);
    while seen.next_of("events.user.registered")["data"]["role"] != "ROLE_CUSTOMER" {}

    execute(&given, "DROP TRIGGER broken").await;
    let replayed = given.run(&["events", "replay", "events", "--key", &product]);
    assert_eq!((replayed.code, replayed.stdout.as_str()), (Some(0), "events: 1 keys are tried again\n"), "{}", replayed.stderr);
    assert_eq!(seen.next_of("events.product.created")["key"], json!(product));
    assert!(told(&given, &["parked", "--json"]).is_empty());
    eventually(|| http(&shop.admin, "GET", "/metrics", ""), metric("weft_events_parked{domain=\"events\"} 0"));
    let published = told(&given, &["list", "events.product.*", "--json"]);
    assert_eq!(published.len(), 1);
    assert_eq!((&published[0]["subject"], &published[0]["tenantid"]), (&json!(product), &json!(ada.tenant)));
    let nothing = given.run(&["events", "replay", "events", "--all"]);
    assert_eq!(nothing.stdout, "events: 0 keys are tried again\n");
    let unknown = given.run(&["events", "replay", "evnts", "--all"]);
    assert!(unknown.sentence().contains("no domain \"evnts\" in this binary"), "{}", unknown.stderr);
}

/// redis-cli, as it listens.
struct Listening {
    client: Child,
    told: BufReader<ChildStdout>,
}

impl Listening {
    /// It listens when this returns.
    fn to(address: &str, words: [&str; 2]) -> Self {
        let mut command = Command::new("redis-cli");
        command.args(["-u", address]).args(words).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut client = command.spawn().expect("redis-cli, which comes with Redis: bash build-support/tools.sh redis");
        let mut told = BufReader::new(client.stdout.take().unwrap());
        let mut line = String::new();
        while !line.ends_with("subscribe\n") {
            assert!(told.read_line(&mut line).unwrap() > 0, "{line}");
        }
        Self { client, told }
    }

    /// The channels on which events of a tenant come, until all of these have had one.
    fn hears(&mut self, tenant: &str, wanted: &[&str]) {
        let (mut missing, mut channel): (BTreeSet<_>, _) = (wanted.iter().copied().collect(), String::new());
        while !missing.is_empty() {
            let mut line = String::new();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "redis-cli ended without {missing:?}");
            match serde_json::from_str::<Value>(&line) {
                Ok(event) if event.is_object() => {
                    assert_eq!((&event["specversion"], &event["type"]), (&json!("1.0"), &json!(channel)), "{event}");
                    assert_eq!(event["tenantid"], tenant);
                    missing.remove(channel.as_str());
                }
                _ => line.trim_end().clone_into(&mut channel),
            }
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

#[test]
fn redis_cli_hears_of_what_happens_by_name_and_by_pattern() {
    let redis = weft_test_redis::Server::start().unwrap_or_else(|error| panic!("{error}"));
    let given = weft().variable("WEFT_EVENTS_URL", &redis.address());
    let shop = Shop::open(&given);
    let mut all = Listening::to(&redis.address(), ["psubscribe", "events.*"]);
    let mut of_users = Listening::to(&redis.address(), ["psubscribe", "events.user.*"]);
    let mut of_orders = Listening::to(&redis.address(), ["subscribe", "events.order.created"]);
    let ada = shop.register("ada", None);
    let product = shop.product(&ada, "teapot");
    let order = json!({"lines": [{"variantId": product["variants"][0]["id"], "quantity": 1}]});
    shop.make(&ada, "/api/v1/orders", "idempotency-key: an-order", &order);
    // Of the seven names that the mesh promises, those of domains that there are.
    let users = ["events.user.registered", "events.user.logged_in"];
    let others = ["events.tenant.created", "events.product.created", "events.order.created"];
    all.hears(&ada.tenant, &[&users[..], &others].concat());
    of_users.hears(&ada.tenant, &users);
    of_orders.hears(&ada.tenant, &["events.order.created"]);
}
