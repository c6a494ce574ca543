//! Whether a transaction that writes is open: only a kill then tests anything but luck.

use std::{path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection,
    postgres::PgConnection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use crate::Result;

/// True if a transaction that writes is open.
pub(crate) async fn is_written(database_url: Option<&str>, folder: &Path) -> Result<bool> {
    if let Some(url) = database_url {
        let mut connection = PgConnection::connect(url).await?;
        // PostgreSQL gives a transaction its id with its first write.
        let open = "SELECT EXISTS (SELECT FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL)";
        let open: bool = sqlx::query_scalar(open).fetch_one(&mut connection).await?;
        connection.close().await?;
        return Ok(open);
    }
    for domain in ["shop.db", "mail.db"] {
        // SQLite has one writer: if we cannot become it, the other is.
        let options = SqliteConnectOptions::new().filename(folder.join("data").join(domain)).busy_timeout(Duration::ZERO);
        let mut connection: SqliteConnection = options.connect().await?;
        let taken = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.is_err();
        connection.close().await?;
        if taken {
            return Ok(true);
        }
    }
    Ok(false)
}
