//! Prints the text of `.env.example`.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::stdout().lock().write_all(weft_config::env_example().as_bytes())
}
