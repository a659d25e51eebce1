//! Packages for container hosts and for Azure Functions, as the `nebula` command makes them.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::SystemTime,
};

use flate2::read::GzDecoder;
use serde_json::Value;
use zip::ZipArchive;

use crate::{
    guest::Function,
    nebula::{Nebula, ProcessOutput},
    project::Project,
    server::Server,
};

/// A small program in place of `nebula`, so that a package is made quickly.
const SMALL: &str = "/bin/true";

/// The file of an image, unpacked: an OCI image layout.
pub struct ImageLayout(PathBuf);

/// The functions of an image. The rest of the image, which has the `nebula` that was built with these tests, is made
/// once for all tests.
pub struct ImagePackage {
    project: Project,
}

/// A package for Azure Functions, as its host sees it. Its program is made once for all tests.
pub struct AzurePackage {
    project: Project,
}

/// What both packages have in common, for all functions: the programs with their loaders and libraries.
struct Programs {
    /// The layer of an image with the program, and that image's configuration in `config.json`.
    image: PathBuf,
    /// The folders `bin` and `lib` of a package for Azure.
    azure: PathBuf,
}

impl ImageLayout {
    /// Unpacks the file of an image into `folder`.
    pub fn unpack(file: &Path, folder: PathBuf) -> Self {
        tar::Archive::new(File::open(file).unwrap()).unpack(&folder).unwrap();
        Self(folder)
    }

    /// The manifest of the only image.
    pub fn manifest(&self) -> Value {
        let index: Value = serde_json::from_slice(&fs::read(self.0.join("index.json")).unwrap()).unwrap();
        self.json(&index["manifests"][0])
    }

    /// The configuration of the only image.
    pub fn config(&self) -> Value {
        self.json(&self.manifest()["config"])
    }

    /// Unpacks a layer into `folder`.
    pub fn unpack_layer(&self, number: usize, folder: &Path) {
        let layer = File::open(self.blob(&self.manifest()["layers"][number])).unwrap();
        tar::Archive::new(GzDecoder::new(layer)).unpack(folder).unwrap();
    }

    fn json(&self, descriptor: &Value) -> Value {
        serde_json::from_slice(&fs::read(self.blob(descriptor)).unwrap()).unwrap()
    }

    fn blob(&self, descriptor: &Value) -> PathBuf {
        self.0.join("blobs").join(descriptor["digest"].as_str().unwrap().replace(':', "/"))
    }
}

impl ImagePackage {
    /// Packages these functions.
    pub fn new(functions: &[Function]) -> Self {
        let project = Project::new(functions);
        make_package(&project, "image", Path::new(SMALL), "image.tar");
        let layout = ImageLayout::unpack(&project.join("image.tar"), project.join("layout"));
        layout.unpack_layer(1, &project.join("image"));
        Self { project }
    }

    /// A folder that the container may write to.
    pub fn folder(&self) -> &Path {
        self.project.path()
    }

    /// Starts a container of the image: as user 65532, with a read-only root file system, on a free port, with `mounts`
    /// of folders of this machine and with these environment variables. The folders that functions are granted are mounted, too.
    ///
    /// # Errors
    /// Returns the output of the container if it exits instead of listening.
    pub fn start(&self, mounts: &[(&Path, &str)], variables: &[(&str, String)]) -> Result<Server, ProcessOutput> {
        let mut container = self.container(mounts, variables);
        let (sender, started) = mpsc::channel();
        // A container ends with the thread that started it, and a thread of tests may end before the other tests.
        thread::spawn(move || {
            if sender.send(Server::start_command(&mut container)).is_ok() {
                loop {
                    thread::park();
                }
            }
        });
        started.recv().unwrap()
    }

    fn container(&self, mounts: &[(&Path, &str)], variables: &[(&str, String)]) -> Command {
        let programs = programs();
        let mut bwrap = Command::new("bwrap");
        bwrap.args(["--unshare-user", "--unshare-pid", "--as-pid-1", "--die-with-parent", "--clearenv"]);
        for (name, value) in variables {
            bwrap.args(["--setenv", name, value]);
        }
        bwrap.args(["--uid", "65532", "--gid", "65532", "--setenv", "PORT", "0", "--chdir", "/"]);
        for entry in fs::read_dir(&programs.image).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            // The others are empty: the container host mounts something there.
            if ["etc", "lib", "lib64", "usr"].contains(&name.as_str()) {
                bwrap.arg("--ro-bind").arg(entry.path()).arg(format!("/{name}"));
            }
        }
        bwrap.args(["--proc", "/proc", "--dev", "/dev"]);
        bwrap.arg("--ro-bind").arg(self.project.join("image/functions")).arg("/functions");
        bwrap.arg("--bind").args([self.project.path(); 2]);
        for (folder, mounted) in mounts {
            bwrap.arg("--ro-bind").arg(folder).arg(mounted);
        }
        let config: Value = serde_json::from_slice(&fs::read(programs.image.join("config.json")).unwrap()).unwrap();
        let start = config["config"]["Entrypoint"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        bwrap.args(["--remount-ro", "/", "--"]).args(start);
        bwrap.args(["--reports", "all", "--log-format", "json"]).env_clear().env("PATH", "/usr/bin:/bin");
        bwrap
    }
}

impl AzurePackage {
    /// Packages these functions.
    pub fn new(functions: &[Function]) -> Self {
        let project = Project::new(functions);
        make_package(&project, "azure", Path::new(SMALL), "app.zip");
        unzip(&project.join("app.zip"), &project.join("app"));
        for folder in ["bin", "lib"] {
            fs::remove_dir_all(project.join("app").join(folder)).unwrap();
            symlink(programs().azure.join(folder), project.join("app").join(folder)).unwrap();
        }
        Self { project }
    }

    /// The folder of the package.
    pub fn folder(&self) -> PathBuf {
        self.project.join("app")
    }

    /// A command that starts the custom handler as Azure's host does: as `host.json` says, on a free port.
    pub fn handler(&self) -> Command {
        let folder = self.folder();
        let host: Value = serde_json::from_slice(&fs::read(folder.join("host.json")).unwrap()).unwrap();
        let description = &host["customHandler"]["description"];
        let mut handler = Command::new(folder.join(description["defaultExecutablePath"].as_str().unwrap()));
        handler.args(description["arguments"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()));
        handler.args(["--reports", "all", "--log-format", "json"]).current_dir(&folder).env_clear();
        handler.env("FUNCTIONS_CUSTOMHANDLER_PORT", "0").env("FUNCTIONS_APP_ROOT_PATH", &folder);
        handler
    }
}

/// Why containers cannot be started here. `None` if they can.
pub fn no_containers() -> Option<&'static str> {
    static STARTS: OnceLock<bool> = OnceLock::new();
    let starts = STARTS.get_or_init(|| {
        let mut bwrap = Command::new("bwrap");
        bwrap.args(["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--uid", "65532", "true"]);
        bwrap.stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    (!starts).then_some("bwrap cannot start containers here: install bubblewrap")
}

/// Runs `nebula package` for the functions of a project. Returns its output.
pub fn make_package(project: &Project, platform: &str, program: &Path, file: &str) -> String {
    let program = program.to_str().unwrap();
    let functions = ["--config", "nebula.toml", "--store", "memory://"];
    let arguments = [&["package", platform, "--binary", program, "-o", file], functions.as_slice()].concat();
    Nebula::built().run(project, &arguments, b"").expect_success().text()
}

/// The `nebula` that was built with these tests, without what only debuggers need: that is most of its size.
pub fn stripped_nebula() -> PathBuf {
    programs().image.join("usr/bin/nebula")
}

fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(Programs::make)
}

impl Programs {
    /// Makes them, unless they were made of this `nebula` before.
    fn make() -> Self {
        let nebula = Nebula::built().program().to_owned();
        let folder = nebula.with_file_name("nebula-platforms");
        fs::create_dir_all(&folder).unwrap();
        let mut made =
            File::options().create(true).truncate(false).read(true).write(true).open(folder.join("made")).unwrap();
        // The tests are processes of their own, which need the programs at the same time.
        made.lock().unwrap();
        let programs = Self { image: folder.join("image"), azure: folder.join("azure") };
        let (metadata, mut known) = (fs::metadata(&nebula).unwrap(), String::new());
        let age = metadata.modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let current = format!("{} bytes at {age:?}", metadata.len());
        made.read_to_string(&mut known).unwrap();
        if known != current {
            programs.replace(&nebula);
            made.set_len(0).unwrap();
            made.seek(SeekFrom::Start(0)).unwrap();
            std::io::Write::write_all(&mut made, current.as_bytes()).unwrap();
        }
        programs
    }

    fn replace(&self, nebula: &Path) {
        for folder in [&self.image, &self.azure] {
            // It may not exist.
            let _ = fs::remove_dir_all(folder);
        }
        let project = Project::new([]);
        let stripped = project.join("nebula");
        let strip = Command::new("strip").arg("-o").arg(&stripped).arg(nebula).status();
        let program = if strip.is_ok_and(|status| status.success()) { stripped.as_path() } else { nebula };
        make_package(&project, "image", program, "image.tar");
        make_package(&project, "azure", program, "app.zip");
        let layout = ImageLayout::unpack(&project.join("image.tar"), project.join("layout"));
        layout.unpack_layer(0, &self.image);
        fs::write(self.image.join("config.json"), layout.config().to_string()).unwrap();
        unzip(&project.join("app.zip"), &self.azure);
    }
}

/// Unpacks a zip file with the modes of its entries.
pub fn unzip(file: &Path, folder: &Path) {
    ZipArchive::new(File::open(file).unwrap()).unwrap().extract(folder).unwrap();
}
