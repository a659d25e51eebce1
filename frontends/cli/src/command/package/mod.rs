//! `nebula package`.

mod archive;
mod azure;
mod hashed;
mod image;
mod lambda;
mod layer;
mod layout;
mod output;
mod selection;
mod summary;
#[cfg(test)]
mod tests;

use clap::{Args, Subcommand};

use crate::{failure::Failure, global::Global};

use self::{azure::Azure, image::Image, lambda::Lambda};

const EXAMPLES: &str = "\
Examples:
  nebula package lambda treats -o app.zip
  nebula package lambda treats resize@prod --arch arm64 -o app.zip
  nebula package image treats -o app.tar
  nebula package image treats -o oci://registry.example.com/team/app:1
  nebula package azure treats -o app.zip
  nebula package lambda --config nebula.toml -o app.zip";

/// Packages functions for another platform
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Package {
    #[command(subcommand)]
    platform: Platform,
}

#[derive(Debug, Subcommand)]
enum Platform {
    Lambda(Lambda),
    Image(Image),
    Azure(Azure),
}

impl Package {
    /// Makes the package, and prints its content.
    pub(crate) async fn execute(self, global: &Global) -> Result<u8, Failure> {
        match self.platform {
            Platform::Lambda(lambda) => lambda.execute(global).await,
            Platform::Image(image) => image.execute(global).await,
            Platform::Azure(azure) => azure.execute(global).await,
        }
    }
}
