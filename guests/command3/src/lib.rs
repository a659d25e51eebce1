//! Writes its stdin in capitals, piece by piece as it arrives. A command of `wasi:cli` 0.3, whose stdin and stdout are
//! streams of the component model.

use wasip3::{
    cli::{stdin, stdout},
    spawn_local,
    wit_bindgen::StreamResult,
    wit_stream,
};

wasip3::cli::command::export!(Capitals);

struct Capitals;

impl wasip3::exports::cli::run::Guest for Capitals {
    async fn run() -> Result<(), ()> {
        let (mut incoming, all_read) = stdin::read_via_stream();
        let (mut outgoing, output) = wit_stream::new();
        let all_written = stdout::write_via_stream(output);
        let copied = spawn_local(async move {
            let mut piece = Vec::with_capacity(64 * 1024);
            loop {
                let (result, mut read) = incoming.read(piece).await;
                read.make_ascii_uppercase();
                piece = outgoing.write_all(read).await;
                if !piece.is_empty() || !matches!(result, StreamResult::Complete(_)) {
                    return;
                }
            }
        });
        all_written.await.map_err(drop)?;
        let _ = copied.await;
        all_read.await.map_err(drop)
    }
}
