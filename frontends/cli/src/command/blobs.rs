//! `nebula blobs`.

use std::{io::Write as _, path::PathBuf, sync::Arc};

use clap::{Args, Subcommand};
use futures_util::TryStreamExt as _;
use nebula_local::ExitCode;
use nebula_runtime::{
    ByteSize, ServiceName, Timestamp,
    blobs::{BlobInfo, MAX_NAME},
};

use crate::{
    data::{Blob, Data},
    failure::Failure,
    global::Global,
    input::Input,
    new_file::NewFile,
    print::{self, List},
    progress::{Transfer, while_transferring},
    services::ServiceOptions,
};

const EXAMPLES: &str = "\
Examples:
  nebula blobs put pictures cats/tom.png tom.png
  pg_dump shop | nebula blobs put backups shop.sql
  nebula blobs get pictures cats/tom.png -o tom.png
  nebula blobs get backups shop.sql | psql shop
  nebula blobs list pictures --prefix cats/
  nebula blobs list pictures --json | jq 'map(.size) | add'
  nebula blobs delete pictures cats/tom.png
  nebula blobs list pictures --server https://functions.example.com

SERVICE is a name of [services] in nebula.toml, and a container of a function
is the service that its grant names. With nothing configured, SERVICE is the
service of that name beside the store, as nebula serve has it. With --server,
it is a service of the server, and the token needs the right data.";

/// Reads and changes the blobs of a service
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Blobs {
    #[command(flatten)]
    services: ServiceOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a blob to stdout, as it is, or to a file
    Get {
        /// The service
        service: ServiceName,
        /// The name of the blob
        #[arg(value_parser = name)]
        name: String,
        /// The file to write. It is replaced when all of the blob is there
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make a blob of a file or of stdin, or replace it. It appears when all of it is there
    Put {
        /// The service
        service: ServiceName,
        /// The name of the blob
        #[arg(value_parser = name)]
        name: String,
        /// The file [default: all of stdin]
        file: Option<PathBuf>,
    },
    /// List the blobs, in no order. A name with a character that a line cannot have is written as JSON
    List {
        /// The service
        service: ServiceName,
        /// Only blobs whose names begin with this
        #[arg(long, default_value = "", hide_default_value = true)]
        prefix: String,
        /// Print a JSON array of the blobs
        #[arg(long)]
        json: bool,
    },
    /// Delete a blob
    Delete {
        /// The service
        service: ServiceName,
        /// The name of the blob
        #[arg(value_parser = name)]
        name: String,
    },
}

/// A name that every service can keep.
fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err(format!("the name of a blob has 1 to {MAX_NAME} bytes"));
    }
    Ok(text.to_owned())
}

impl Blobs {
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let data = global.places.data(&self.services)?;
        match self.action {
            Action::Get { service, name, output } => get(&*data, &service, &name, output).await?,
            Action::Put { service, name, file } => put(&*data, &service, &name, file).await?,
            Action::List { service, prefix, json } => list(&*data, &service, &prefix, json).await?,
            Action::Delete { service, name } => data.delete_blob(&service, &name).await?,
        }
        Ok(ExitCode::OK)
    }
}

async fn get(data: &dyn Data, service: &ServiceName, name: &str, output: Option<PathBuf>) -> Result<(), Failure> {
    let blob = data.blob(service, name).await?;
    let transfer = Transfer::default();
    blob.size.into_iter().for_each(|size| transfer.expect(size));
    let Some(path) = output else { return write_out(blob, &transfer).await };
    let file = NewFile::create(&path)?;
    while_transferring(&format!("reading {name}"), &transfer, write_file(blob, file, &transfer)).await
}

/// Writes a blob to stdout. It is no failure if the reader closes the pipe.
async fn write_out(mut blob: Blob, transfer: &Transfer) -> Result<(), Failure> {
    while let Some(piece) = blob.bytes.try_next().await? {
        transfer.advance(piece.len());
        if !print::octets(&piece)? {
            return Ok(());
        }
    }
    Ok(())
}

async fn write_file(mut blob: Blob, mut file: NewFile, transfer: &Transfer) -> Result<(), Failure> {
    while let Some(piece) = blob.bytes.try_next().await? {
        transfer.advance(piece.len());
        file.write(|file| file.write_all(&piece))?;
    }
    file.finish()
}

async fn put(data: &dyn Data, service: &ServiceName, name: &str, file: Option<PathBuf>) -> Result<(), Failure> {
    let transfer = Arc::<Transfer>::default();
    let (content, input_failure) = Input::open(file)?.content(Arc::clone(&transfer));
    let put = data.put_blob(service, name, content);
    let put = while_transferring(&format!("writing {name}"), &transfer, put).await;
    put.map_err(|failure| input_failure.or(failure))
}

/// How many blobs are printed at once.
const PART: usize = 1000;

async fn list(data: &dyn Data, service: &ServiceName, prefix: &str, json: bool) -> Result<(), Failure> {
    let mut blobs = data.blobs(service, prefix).await?.try_chunks(PART).map_err(|partial| partial.1);
    let mut list = List::new(json);
    while let Some(part) = blobs.try_next().await? {
        if !list.print(&part, line)? {
            return Ok(());
        }
    }
    list.end()
}

/// The size, the time and the name, in this order: a name may have spaces.
fn line(BlobInfo { name, size, created }: &BlobInfo) -> String {
    let size = ByteSize(*size).to_string();
    format!("{size:>10}  {}  {}\n", Timestamp::from(*created), print::name(name))
}
