//! `nebula package image`.

use std::{io, path::Path};

use clap::Args;
use nebula_local::ExitCode;
use nebula_runtime::{Architecture, ByteSize, Digest, NewPackage};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{
    layer::{Layer, NewLayer},
    layout::{self, ImageLayout},
    output::replace_with,
    selection::{Selection, note_folders},
    summary::{self, FunctionSummary},
};
use crate::{
    failure::Failure,
    global::Global,
    oci::push_image,
    print,
    program::{Program, ProgramOptions},
    progress::while_working,
    source::Destination,
};

const EXAMPLES: &str = "\
Examples:
  nebula package image treats -o app.tar
  nebula package image treats resize@prod --arch arm64 --binary nebula-arm64 -o app.tar
  nebula package image treats -o oci://registry.example.com/team/app:1
  nebula package image --config nebula.toml --store memory:// -o app.tar

The file is an OCI image layout, which skopeo, docker load and podman load read. A registry
gets the same image, with the credentials of docker login. A container of the image listens
on the port in PORT, 8080 by default. It needs no root, and no writable folder. The same
functions always make the same bytes.";

/// Where the functions are in the image.
const FUNCTIONS: &str = "functions";

/// The user of the image, who owns nothing in it: `nonroot`, as other images number that user.
const USER: &str = "65532:65532";

/// Packages functions as an image for Cloud Run, Knative, Kubernetes and any other container host
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Image {
    #[command(flatten)]
    selection: Selection,
    /// The processor that the image is for: x86_64 or arm64 [default: the one of this machine]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Architecture>,
    /// The file to write, or where to push the image: oci://REGISTRY/REPOSITORY:TAG
    #[arg(long, short, value_name = "FILE|oci://REFERENCE")]
    output: Destination,
    #[command(flatten)]
    program: ProgramOptions,
    /// Print JSON, with the contents of the image
    #[arg(long)]
    json: bool,
}

impl Image {
    pub(super) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        let architecture = self.arch.or(Architecture::HOST).unwrap_or(Architecture::X86_64);
        let program = self.program.find(architecture)?;
        let package = self.selection.package(global, architecture).await?;
        note_folders(&package, "in the container");
        let image = image(architecture, program, &package).map_err(Failure::Layer)?;
        self.write(&image).await?;
        let made = ImageSummary::of(&image, &self.output, summary::functions(&package));
        match self.json {
            true => print::json(&made)?,
            false => print::result(&made.text())?,
        }
        Ok(ExitCode::OK)
    }

    async fn write(&self, image: &layout::Image) -> Result<(), Failure> {
        match &self.output {
            Destination::File(path) => replace_with(path, |file| image.write(file)),
            Destination::Registry(reference) => {
                let pushing = push_image(reference, image.blobs(), image.manifest.clone());
                Ok(while_working(format!("pushing to {reference}"), pushing).await?)
            }
        }
    }
}

/// The image. The program has a layer of its own, so that a registry takes a new version of the functions without it.
pub(super) fn image(architecture: Architecture, program: Program, package: &NewPackage) -> io::Result<layout::Image> {
    let layers = vec![(program_layer(program)?, "the program"), (function_layer(package)?, "the functions")];
    ImageLayout { architecture, run: run(), layers }.finish()
}

fn run() -> Value {
    json!({
        "User": USER,
        "ExposedPorts": { "8080/tcp": {} },
        "Env": ["PATH=/usr/bin"],
        "Entrypoint": ["/usr/bin/nebula", "start", "image", format!("/{FUNCTIONS}")],
        "WorkingDir": "/",
        "StopSignal": "SIGTERM",
    })
}

fn program_layer(program: Program) -> io::Result<Layer> {
    let mut layer = NewLayer::default();
    // Container hosts mount these, and a read-only file system has to have them.
    for (folder, mode) in [("dev", 0o755), ("proc", 0o755), ("sys", 0o755), ("tmp", 0o1777), (FUNCTIONS, 0o755)] {
        layer.add_folder(folder, mode);
    }
    for (path, text) in [
        ("etc/passwd", "root:x:0:0:root:/:/nologin\nnonroot:x:65532:65532:nonroot:/:/nologin\n"),
        ("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
        ("etc/nsswitch.conf", "hosts: files dns\n"),
    ] {
        layer.add_file(path, 0o644, text);
    }
    layer.add_file("etc/ssl/certs/ca-certificates.crt", 0o644, program.certificates);
    program.libraries.into_iter().for_each(|(path, bytes)| layer.add_file(path, 0o755, bytes));
    layer.add_file("usr/bin/nebula", 0o755, program.bytes);
    layer.finish()
}

fn function_layer(package: &NewPackage) -> io::Result<Layer> {
    let mut layer = NewLayer::default();
    for (path, bytes) in &package.files {
        layer.add_file(Path::new(FUNCTIONS).join(path), 0o644, bytes.clone());
    }
    layer.finish()
}

/// The content of an image, as the command prints it.
#[derive(Debug, Serialize)]
struct ImageSummary<'a> {
    #[serde(flatten, serialize_with = "destination")]
    to: &'a Destination,
    architecture: Architecture,
    /// The size of its layers and documents, in bytes.
    size: u64,
    digest: Digest,
    layers: Vec<LayerSummary>,
    functions: Vec<FunctionSummary<'a>>,
}

#[derive(Debug, Serialize)]
struct LayerSummary {
    content: &'static str,
    size: u64,
    unpacked_size: u64,
    digest: Digest,
}

impl LayerSummary {
    fn of(content: &'static str, layer: &Layer) -> Self {
        let Layer { blob, unpacked, .. } = layer;
        Self { content, size: blob.size, unpacked_size: *unpacked, digest: blob.digest }
    }
}

/// `file` and its path, or `reference` and that.
fn destination<S: Serializer>(to: &Destination, serializer: S) -> Result<S::Ok, S::Error> {
    let key = if to.file().is_some() { "file" } else { "reference" };
    serializer.collect_map([(key, to.to_string())])
}

impl<'a> ImageSummary<'a> {
    fn of(image: &layout::Image, to: &'a Destination, functions: Vec<FunctionSummary<'a>>) -> Self {
        let layers = image.layers.iter().map(|(layer, content)| LayerSummary::of(content, layer)).collect();
        let size = image.blobs().map(|blob| blob.size).sum::<u64>() + image.manifest.len() as u64;
        Self { to, architecture: image.architecture, size, digest: image.digest(), layers, functions }
    }

    fn text(&self) -> String {
        let layer = |LayerSummary { content, size, unpacked_size, .. }: &LayerSummary| {
            format!("{content} in {} ({} unpacked)", ByteSize(*size), ByteSize(*unpacked_size))
        };
        let layers = self.layers.iter().map(layer).collect::<Vec<_>>().join(", ");
        let (table, to, architecture) = (summary::table(&self.functions), self.to, self.architecture);
        format!("{table}\n{to}: an image for {architecture}, with {layers}\n{}\n", self.digest)
    }
}
