//! Functions as a package for AWS Lambda.

use std::path::Path;

use nebula_runtime::{Runtime, Store, StoreUrl};

use crate::{Function, Nebula, Project, frontend};

/// Functions as a package for AWS Lambda, in its own folder. Gone when it is dropped.
pub struct Package {
    // The folders that functions are granted are in there too.
    project: Project,
}

impl Package {
    /// A package of these functions.
    pub fn new(functions: &[Function]) -> Self {
        let project = Project::new(functions);
        let tokio = tokio::runtime::Runtime::new().unwrap();
        tokio.block_on(async {
            let store = Store::open(&StoreUrl::folder(&project.join("store")).unwrap()).await.unwrap();
            let runtime = Runtime::builder(store).code_cache(Some(Nebula::built().cache().to_owned())).build().unwrap();
            for function in functions {
                frontend::publish(&runtime, function, &project).await;
            }
        });
        Self { project }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.project.path()
    }
}
