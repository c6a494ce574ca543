//! From a laptop's files to a server, with everything that was in them.

use serde_json::{Value, json};

use crate::given::{FREE_PORTS, Given, Started, address, http_with, weft};

/// Everything in one process; what is asked of it goes to the edge.
struct Up {
    process: Started,
    edge: String,
}

impl Up {
    fn start(given: &Given) -> Self {
        let mut process = given.start(&[&["up"][..], &FREE_PORTS].concat());
        let edge = address(&process.addresses(), "edge").to_owned();
        Self { process, edge }
    }

    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {token}");
        let key = body.to_string();
        let headers =
            if token.is_empty() { vec![] } else { vec![("authorization", bearer.as_str()), ("idempotency-key", "a-key")] };
        let body = if body.is_null() { "" } else { key.as_str() };
        let (status, answer) = http_with(&self.edge, method, path, &headers, body);
        assert!(status / 100 == 2, "{method} {path}: {status} {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    fn log_in(&self, name: &str) -> String {
        let account = json!({"email": format!("{name}@example.com"), "password": "analytical engine"});
        self.ask("POST", "/api/v1/auth/login", "", &account)["token"].as_str().unwrap().to_owned()
    }

    /// What a person sees: products and orders.
    fn seen_by(&self, token: &str) -> [Value; 2] {
        ["/api/v1/products", "/api/v1/orders"].map(|path| self.ask("GET", path, token, &Value::Null))
    }
}

/// Somebody's tenant, with a product and orders.
fn fill(up: &Up, name: &str, orders: usize) -> Value {
    let account = json!({"email": format!("{name}@example.com"), "password": "analytical engine"});
    up.ask("POST", "/api/v1/auth/register", "", &account);
    let token = up.log_in(name);
    let price = json!({"currencyCode": "EUR", "minorUnits": "1250"});
    let product = json!({"name": format!("Tea ‘pot’ of {name}"), "variants": [{"sku": "TEA-1", "name": "blue", "price": price}]});
    let product = up.ask("POST", "/api/v1/products", &token, &product);
    let variant = product["variants"][0]["id"].as_str().unwrap();
    let order = |quantity: usize| json!({"lines": [{"variantId": variant, "quantity": quantity}], "note": format!("{quantity}")});
    let mut first = Value::Null;
    for quantity in 1..=orders {
        let (bearer, key) = (format!("Bearer {token}"), format!("order-{quantity}"));
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key.as_str())];
        let (status, answer) = http_with(&up.edge, "POST", "/api/v1/orders", &headers, &order(quantity).to_string());
        assert_eq!(status / 100, 2, "{answer}");
        if first.is_null() {
            first = serde_json::from_str(&answer).unwrap();
        }
    }
    json!({"request": order(1), "answer": first})
}

#[tokio::test]
async fn an_installation_moves_from_files_to_a_server_with_every_row_and_answers_as_before() {
    let url = match weft_test_postgres::database().await {
        Ok(url) => String::from(url),
        Err(error) => panic!("{error}"),
    };
    let laptop = weft();
    let up = Up::start(&laptop);
    let placed = fill(&up, "ada", 12);
    fill(&up, "bob", 3);
    let before = ["ada", "bob"].map(|name| up.seen_by(&up.log_in(name)));
    assert_eq!(before[0][1]["orders"].as_array().unwrap().len(), 12);

    let refused = laptop.run(&["db", "copy", "--to", &url]);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert!(refused.sentence().contains("is in use: stop the processes"), "{}", refused.stderr);
    let token = up.log_in("ada");
    assert_eq!(up.process.stop("-TERM").code(), Some(0));

    let copied = laptop.run(&["db", "copy", "--from", "sqlite:.weft", "--to", &url]);
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    for told in
        ["auth.users: 2 rows, sha256 ", "orders.orders: 15 rows", "orders.lines: 15 rows", "each compared", "seal.key_file"]
    {
        assert!(copied.stdout.contains(told), "{told}: {}", copied.stdout);
    }
    let again = laptop.run(&["db", "copy", "--to", &url]);
    assert!(again.code == Some(1) && again.sentence().contains("already holds rows"), "{}", again.stderr);

    let key = laptop.folder.path().join(".weft/seal.key");
    let server = weft().variable("DATABASE_URL", &url).variable("WEFT_SEAL_KEY_FILE", key.to_str().unwrap());
    let up = Up::start(&server);
    for (name, before) in ["ada", "bob"].iter().zip(&before) {
        assert_eq!(up.seen_by(&up.log_in(name)), *before, "{name}");
    }
    assert_eq!(up.seen_by(&token), before[0], "a token from before is still good");
    // A repeat of what was sent before gets the answer from before.
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "order-1")];
    let (_, answer) = http_with(&up.edge, "POST", "/api/v1/orders", &headers, &placed["request"].to_string());
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), placed["answer"]);
    fill(&up, "cyd", 1);
    assert_eq!(up.process.stop("-TERM").code(), Some(0));
}

#[test]
fn where_nothing_can_be_copied_to_is_told_without_a_password() {
    let given = weft();
    for (words, code, told) in [
        (&["db", "copy"][..], 78, "give --to, or set database.url"),
        (&["db", "copy", "--to", "mysql://ann:hunter2@host/db"], 64, "no address such as postgres://"),
        (&["db", "copy", "--from", "postgres://host", "--to", "postgres://host/db"], 64, "it must be sqlite:FOLDER"),
        (&["db", "copy", "--to", "postgres://ann:hunter2@127.0.0.1:1/db"], 1, "auth.db is not there"),
    ] {
        let ended = given.run(words);
        assert_eq!(ended.code, Some(code), "{words:?}: {}", ended.stderr);
        assert!(ended.sentence().contains(told) && !ended.stderr.contains("hunter2"), "{words:?}: {}", ended.stderr);
    }
}
