//! The account that is there from the beginning.

use weft_contracts_auth::{AuthReason, Role};
use weft_testkit::{Backend, Mesh, on_both};

use crate::given::{Given, PASSWORD};

on_both!(
    the_first_administrator_logs_in_to_a_tenant_of_its_own,
    nobody_takes_the_address_of_the_first_administrator,
    the_first_administrator_is_opened_once_however_many_come_at_once,
);

const EMAIL: &str = "Root@example.org";

async fn given(backend: Backend) -> Given {
    let mesh = Mesh::of([weft_auth::domain()]).configure(|config| {
        config.auth.first_administrator_email = Some(EMAIL.to_owned());
        config.auth.first_administrator_password = Some(PASSWORD.into());
    });
    let mesh = mesh.start(backend).await;
    Given { auth: mesh.client(), mesh }
}

async fn the_first_administrator_logs_in_to_a_tenant_of_its_own(backend: Backend) {
    let given = given(backend).await;
    let user = given.login("root@example.org").await.user.unwrap();
    assert_eq!((user.email.as_str(), user.role()), ("root@example.org", Role::Owner));
    assert_eq!(given.login("root@example.org").await.user.unwrap(), user);
    let error = given.login_with("root@example.org", "another pass word").await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::LoginFailed));
}

async fn nobody_takes_the_address_of_the_first_administrator(backend: Backend) {
    let given = given(backend).await;
    let error = given.register("root@example.org", "").await.unwrap_err();
    assert_eq!(error.reason(), Some(AuthReason::EmailTaken));
    given.owner("ann@example.org").await;
}

async fn the_first_administrator_is_opened_once_however_many_come_at_once(backend: Backend) {
    let given = given(backend).await;
    let (one, two, three) =
        tokio::join!(given.login("root@example.org"), given.login("root@example.org"), given.login("root@example.org"));
    assert_eq!(one.user, two.user);
    assert_eq!(two.user, three.user);
}
