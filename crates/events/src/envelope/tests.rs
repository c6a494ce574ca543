#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use serde_json::json;

use super::*;

fn envelope() -> Envelope {
    Envelope {
        id: Uuid::now_v7(),
        source: "orders".to_owned(),
        topic: "events.order.created".to_owned(),
        key: "o-1 \"ä\"".to_owned(),
        position: 17,
        tenant: TenantId(Uuid::now_v7()),
        time: DateTime::from_timestamp_micros(1_763_700_000_123_456).unwrap(),
        request_id: RequestId::fresh(),
        causation: Some(Uuid::now_v7()),
        trace: TraceContext { state: "a=1".into(), is_new: false, ..TraceContext::start() },
        message: "weft.orders.v1.OrderCreated".to_owned(),
        data: vec![0, 1, 255],
    }
}

#[test]
fn an_envelope_reads_back_as_it_was_written() {
    for event in [
        envelope(),
        Envelope {
            causation: None,
            trace: TraceContext { is_new: false, ..TraceContext::start() },
            data: Vec::new(),
            ..envelope()
        },
    ] {
        assert_eq!(Envelope::from_json(event.to_json().as_bytes()).unwrap(), event);
    }
}

#[test]
fn what_travels_is_a_cloud_event_that_others_understand() {
    let event = envelope();
    let json: Value = serde_json::from_str(&event.to_json()).unwrap();
    for (attribute, value) in [
        ("specversion", "1.0"),
        ("source", "/orders"),
        ("type", "events.order.created"),
        ("subject", "o-1 \"ä\""),
        ("time", "2025-11-21T04:40:00.123456Z"),
        ("datacontenttype", "application/protobuf"),
        ("dataschema", "proto:weft.orders.v1.OrderCreated"),
        ("sequence", "17"),
        ("data_base64", "AAH/"),
    ] {
        assert_eq!(json[attribute], value, "{attribute}");
    }
    assert!(!format!("{event:?}").contains("255"), "the message stays out of logs");
}

/// The smallest event that CloudEvents allows, with `change` made to it.
fn sample(change: &Value) -> Vec<u8> {
    let mut event = json!({"specversion": "1.0", "id": "A", "source": "/a", "type": "b"});
    for (name, value) in change.as_object().unwrap() {
        event[name] = value.clone();
    }
    event.to_string().into_bytes()
}

#[test]
fn valid_cloud_events_are_read() {
    for valid in [
        json!({}),
        json!({"time": "2018-04-05T17:31:00Z", "subject": "s", "dataschema": "https://example.com/x"}),
        json!({"data": {"a": 1}, "datacontenttype": "application/json"}),
        json!({"data": null}),
        json!({"data_base64": "AAH/"}),
        json!({"data": "text", "subject": null}),
        json!({"comexampleextension1": "value", "comexampleothervalue": 5, "flag": true}),
        json!({"source": "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"}),
        json!({"source": "https://github.com/cloudevents"}),
        json!({"time": "2018-04-05T17:31:00.123+02:00"}),
    ] {
        if let Err(error) = CloudEvent::parse(&sample(&valid)) {
            panic!("{valid}: {error}");
        }
    }
}

#[test]
fn invalid_cloud_events_are_refused_by_the_attribute() {
    for (change, named) in [
        (json!({"specversion": "0.3"}), "specversion"),
        (json!({"specversion": null}), "specversion"),
        (json!({"id": ""}), "id"),
        (json!({"id": null}), "id"),
        (json!({"id": 7}), "id"),
        (json!({"source": ""}), "source"),
        (json!({"source": "a b"}), "source"),
        (json!({"source": null}), "source"),
        (json!({"type": ""}), "type"),
        (json!({"type": null}), "type"),
        (json!({"subject": ""}), "subject"),
        (json!({"time": "yesterday"}), "time"),
        (json!({"time": 1_522_949_460}), "time"),
        (json!({"dataschema": "relative"}), "dataschema"),
        (json!({"datacontenttype": ""}), "datacontenttype"),
        (json!({"data": 1, "data_base64": "AA=="}), "data_base64"),
        (json!({"data_base64": "not base64!"}), "data_base64"),
        (json!({"My-Extension": "x"}), "My-Extension"),
        (json!({"nested": {"a": 1}}), "nested"),
        (json!({"fraction": 1.5}), "fraction"),
        (json!({"large": 3_000_000_000_i64}), "large"),
    ] {
        let Err(error) = CloudEvent::parse(&sample(&change)) else { panic!("{change} is read") };
        assert!(error.to_string().contains(&format!("`{named}`")), "{change}: {error}");
    }
    assert!(matches!(CloudEvent::parse(b"[]"), Err(EnvelopeError::Json(_))));
    assert!(matches!(CloudEvent::parse(&vec![b' '; ENVELOPE_LIMIT + 1]), Err(EnvelopeError::TooLarge(_))));
}

#[test]
fn a_cloud_event_that_the_mesh_did_not_write_is_refused_by_what_it_lacks() {
    let whole: Value = serde_json::from_str(&envelope().to_json()).unwrap();
    for missing in ["tenantid", "sequence", "subject", "time", "traceparent", "requestid", "dataschema", "data_base64"] {
        let mut event = whole.clone();
        event.as_object_mut().unwrap().remove(missing);
        let error = Envelope::from_json(event.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("the attribute `{missing}` is missing"));
    }
    for (attribute, wrong) in
        [("tenantid", "x"), ("sequence", "x"), ("id", "A"), ("source", "https://x.example"), ("requestid", "a b")]
    {
        let mut event = whole.clone();
        event[attribute] = wrong.into();
        let error = Envelope::from_json(event.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains(&format!("`{attribute}`")), "{error}");
    }
}
