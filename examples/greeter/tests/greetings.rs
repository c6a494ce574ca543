use greeter::{GreeterClient, Greeting, GreetingId};
use weft::testkit::{Backend, Mesh, on_both};

on_both!(a_greeting_is_its_tenants_alone);

async fn a_greeting_is_its_tenants_alone(backend: Backend) {
    let mesh = Mesh::of([greeter::domain()]).start(backend).await;
    let (greeter, ada, eve) =
        (mesh.client::<GreeterClient>(), mesh.user(mesh.tenant(), "staff"), mesh.user(mesh.tenant(), "staff"));
    let hello = Greeting { text: "hello".to_owned(), ..Greeting::default() };
    let made = greeter.create_greeting(&ada.key("1"), hello).await.unwrap().message;
    let id = GreetingId { id: made.id.clone() };
    let changed = greeter.update_greeting(&ada.call(), Greeting { text: "hi".to_owned(), ..made }).await.unwrap().message;
    assert_eq!(greeter.get_greeting(&ada.call(), id.clone()).await.unwrap().message, changed);
    assert_eq!(greeter.get_greeting(&eve.call(), id.clone()).await.unwrap_err().code(), weft::Code::NotFound);
    greeter.delete_greeting(&ada.key("2"), id).await.unwrap();
}
