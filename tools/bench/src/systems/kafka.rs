//! How Apache Kafka is fetched from Maven, formatted and started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::{Place, cache_dir, insist};

/// The broker's version; its jars are kept in the user's cache.
const VERSION: &str = "4.4.0";
/// Any 22 characters of base64 make a cluster.
const CLUSTER_ID: &str = "klammBenchClusterId000";

/// Kafka's own defaults for the JVM (`kafka-server-start.sh`, `kafka-run-class.sh`).
const JVM: &[&str] = &[
    "-Xmx1G",
    "-Xms1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];

/// Fetches the jars where they are not there yet, formats a directory, and gives the command that runs it.
pub fn set_up(
    place: &Place,
    directory: &Path,
    port: u16,
    controller_port: u16,
) -> Result<Vec<String>> {
    let libs = libs()?;
    let class_path = format!("{}/*", libs.display());
    let properties = directory.join("server.properties");
    // The last one: a broker that was paused while others were measured is not to be fenced for it.
    let mut settings = format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         controller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={}\noffsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         broker.session.timeout.ms=600000\n",
        directory.join("data").display()
    );
    for setting in &place.kafka_overrides {
        settings.push_str(setting);
        settings.push('\n');
    }
    fs::write(&properties, settings)?;
    let properties = properties.display().to_string();
    insist(
        Command::new("java")
            .args(["-cp", &class_path, "kafka.tools.StorageTool", "format"])
            .args(["-t", CLUSTER_ID, "-c", &properties]),
        "formatting Kafka's directory",
    )?;
    let mut command = vec!["java".to_owned()];
    command.extend(JVM.iter().map(|option| (*option).to_owned()));
    command.extend(["-cp".to_owned(), class_path, "kafka.Kafka".to_owned(), properties]);
    Ok(command)
}

/// The directory of the jars, filled by Maven at the first use.
fn libs() -> Result<PathBuf> {
    let cache = cache_dir()?.join(format!("kafka-{VERSION}"));
    let libs = cache.join("libs");
    let complete = cache.join("complete");
    if complete.exists() {
        return Ok(libs);
    }
    for tool in ["java", "mvn"] {
        let found = Command::new(tool).arg("-version").output();
        ensure!(
            found.is_ok_and(|output| output.status.success()),
            "comparing with Kafka needs {tool}, which is not here (a JDK of 17 or newer, and Maven)"
        );
    }
    eprintln!("fetching Apache Kafka {VERSION} from Maven into {}", cache.display());
    fs::create_dir_all(&cache)?;
    fs::write(cache.join("pom.xml"), pom())?;
    insist(
        Command::new("mvn")
            .args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", libs.display()))
            .current_dir(&cache),
        "fetching Kafka from Maven",
    )?;
    fs::write(complete, VERSION)?;
    Ok(libs)
}

fn pom() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>"
        )
    };
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>klamm</groupId><artifactId>bench</artifactId><version>1</version>\
         <dependencies>{}{}</dependencies></project>",
        dependency("org.apache.kafka", "kafka_2.13", VERSION),
        dependency("org.slf4j", "slf4j-simple", "1.7.36")
    )
}
