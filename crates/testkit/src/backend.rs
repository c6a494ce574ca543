//! The databases that a test runs on.

use secrecy::SecretString;

/// A database that a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Files in a temporary folder.
    Sqlite,
    /// A new database of a real server.
    Postgres,
}

impl Backend {
    /// All of them: what every behaviour is tested on.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// The URL of a new database, if it has one.
    ///
    /// # Panics
    ///
    /// If the server cannot be had, with the command that installs it.
    pub(crate) async fn url(self) -> Option<SecretString> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => match weft_test_postgres::database().await {
                Ok(url) => Some(String::from(url).into()),
                Err(error) => panic!("{error}"),
            },
        }
    }
}

/// Makes two tests of one: `on_both!(an_order_is_placed_once);` runs the function
/// `async fn an_order_is_placed_once(backend: Backend)` on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            use $crate::tokio;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test($crate::Backend::Sqlite).await; })+
        }
        mod on_postgres {
            use $crate::tokio;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test($crate::Backend::Postgres).await; })+
        }
    };
}
