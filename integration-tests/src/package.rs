//! A package of functions for AWS Lambda.

use std::path::Path;

use nebula_runtime::{Architecture, PackageSettings, Runtime, Store};

use crate::{guest::Function, nebula::Nebula, project::Project, publish::publish};

/// A package of functions for AWS Lambda, in a folder of its own. Dropping it removes the folder.
pub struct Package {
    // This folder also holds the folders that functions are granted.
    project: Project,
}

impl Package {
    /// Makes a package of these functions.
    pub fn new(functions: &[Function]) -> Self {
        let project = Project::new(functions);
        let tokio = tokio::runtime::Runtime::new().unwrap();
        let package = tokio.block_on(async {
            let runtime = Runtime::builder(Store::memory()).code_cache(Some(Nebula::built().cache().to_owned()));
            let (runtime, mut names) = (runtime.concurrency(1).build().unwrap(), Vec::new());
            for function in functions {
                publish(&runtime, function, &project).await;
                names.push(function.name.parse().unwrap());
            }
            runtime.package(&names, Architecture::HOST.unwrap(), PackageSettings::default()).await.unwrap()
        });
        package.write(project.path()).unwrap();
        Self { project }
    }

    /// The package's folder.
    pub fn folder(&self) -> &Path {
        self.project.path()
    }
}
