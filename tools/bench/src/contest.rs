//! Runs a comparison: sets the systems up, warms them, and measures them in turn.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::clock::Clock;
use crate::compare::{Comparison, Durability, compare};
use crate::file::WorkloadFile;
use crate::knobs::Knobs;
use crate::live::Live;
use crate::outcome::Outcome;
use crate::run::{Setting, run};
use crate::session::Interrupts;
use crate::systems::{Place, Server, System};
use crate::workload::{Kind, Workload};

/// A system with a durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// Which system.
    pub system: System,
    /// How durable its topics are.
    pub durability: Durability,
}

impl Contender {
    /// `kafka`, `kafka:relaxed`; durable where it does not say.
    pub fn parse(text: &str) -> Result<Contender> {
        let (system, durability) = match text.split_once(':') {
            Some((system, durability)) => (system, Durability::parse(durability)?),
            None => (text, Durability::Durable),
        };
        Ok(Contender { system: system.trim().parse()?, durability })
    }

    /// Which server it is measured on: systems whose topics say how durable they are need one only.
    fn seat(self) -> Seat {
        let of_server = self.system.durability_of_server(self.durability).is_some();
        (self.system, of_server.then_some(self.durability))
    }

    /// As the results name it.
    pub fn name(self) -> String {
        format!("{} {}", self.system.name(), self.durability.name())
    }
}

/// A system, with its durability where its server decides that.
type Seat = (System, Option<Durability>);

/// How a comparison is made.
pub struct Contest<'a> {
    /// What is run.
    pub file: &'a WorkloadFile,
    /// What the command line sets.
    pub knobs: &'a Knobs,
    /// The first is compared with each other one.
    pub contenders: Vec<Contender>,
    /// How often each is measured.
    pub repetitions: usize,
    /// How long a JVM is warmed.
    pub jvm_warm_up: Duration,
    /// Where systems are found and put.
    pub place: Place,
}

/// Everything that a comparison needs of the program.
pub struct Stage<'a> {
    /// The program's clock.
    pub clock: Clock,
    /// Ctrl-C.
    pub interrupts: &'a mut Interrupts,
    /// Where seconds are shown.
    pub live: &'a mut Live,
}

impl Contest<'_> {
    /// Measures all, A B A B; an interrupt ends it with what there is.
    pub fn run(mut self, stage: &mut Stage<'_>) -> Result<(Vec<Outcome>, Comparison)> {
        ensure!(self.contenders.len() > 1, "a comparison is between two systems at least");
        ensure!(self.repetitions > 0, "repetitions: at least 1");
        let lacks = self.without_the_unable(stage)?;
        let mut servers = self.start(stage)?;
        let mut outcomes = Vec::new();
        'all: for repetition in 0..self.repetitions {
            // Who begins changes, so that nobody always follows the same other one.
            let mut order: Vec<&Contender> = self.contenders.iter().collect();
            if repetition % 2 == 1 {
                order.reverse();
            }
            for step in &self.file.steps {
                for contender in &order {
                    settle(&self.place.data_dir);
                    for (seat, server) in &servers {
                        server.pause(*seat != contender.seat())?;
                    }
                    let server = server_of(&mut servers, **contender)?;
                    let note = format!("{} of {}", repetition + 1, self.repetitions);
                    stage.live.note(&note);
                    let knobs = self.knobs_of(**contender, server, &step.knobs)?;
                    let outcome =
                        self.one(stage, (step.kind, &knobs), step.name.clone(), **contender)?;
                    let interrupted = outcome.interrupted;
                    outcomes.push(outcome);
                    if interrupted {
                        break 'all;
                    }
                    server.check_alive()?;
                }
            }
        }
        let sides: Vec<String> = self.contenders.iter().map(|contender| contender.name()).collect();
        let comparison = compare(&outcomes, &sides, self.method(&servers, &lacks))?;
        Ok((outcomes, comparison))
    }

    fn method(&self, servers: &[(Seat, Server)], lacks: &[String]) -> String {
        let own_group = servers.iter().all(|(_, server)| server.cgroup().is_some());
        let mut method = format!(
            "{} interleaved repetitions, medians [smallest – largest]; all systems stay in memory, those that are not measured stopped; what one has left in the page cache is written to the disk before the next is measured; CPU and memory by {}; cores are shared with the tool",
            self.repetitions,
            if own_group { "control group" } else { "process" }
        );
        for lack in lacks {
            method.push_str("; ");
            method.push_str(lack);
        }
        method
    }

    fn start(&self, stage: &mut Stage<'_>) -> Result<Vec<(Seat, Server)>> {
        let mut servers: Vec<(Seat, Server)> = Vec::new();
        for contender in &self.contenders {
            let seat = contender.seat();
            if servers.iter().any(|(taken, _)| *taken == seat) {
                continue;
            }
            let (system, durability) = (contender.system, contender.durability);
            let name = match seat.1 {
                Some(durability) => format!("{}-{}", system.name(), durability.name()),
                None => system.name().to_owned(),
            };
            stage.live.note(&format!("starting {name}"));
            let mut server = Server::set_up(system, durability, &self.place, &name)?;
            server.start(stage.clock)?;
            servers.push((seat, server));
        }
        for contender in self.contenders.iter().filter(|contender| contender.system.warms_up()) {
            if self.jvm_warm_up.is_zero() {
                continue;
            }
            stage.live.note(&format!("warming {}", contender.name()));
            let server = server_of(&mut servers, *contender)?;
            let step = self.file.steps.first().context("a workload has a step")?;
            let mut knobs = self.knobs_of(*contender, server, &step.knobs)?;
            knobs.warm_up = Some("0s".to_owned());
            knobs.duration = Some(format!("{}ms", self.jvm_warm_up.as_millis()));
            self.one(stage, (step.kind, &knobs), Some("warm-up".to_owned()), *contender)?;
        }
        Ok(servers)
    }

    /// The step's knobs, over them the command line's, over them what the contender makes of them.
    fn knobs_of(&self, contender: Contender, server: &Server, step: &Knobs) -> Result<Knobs> {
        let mut knobs = self.knobs.over(step)?;
        knobs.bootstrap_server = Some(server.address().to_string());
        knobs.protocol = Some(contender.system.protocol().name().to_owned());
        knobs.topic_config.retain(|config| !config.starts_with("flush."));
        knobs.topic_config.push(contender.durability.topic_config());
        knobs.server_pid = server.pid().into_iter().collect();
        knobs.server_cgroup = server.cgroup().map(Into::into);
        Ok(knobs)
    }

    fn one(
        &self,
        stage: &mut Stage<'_>,
        (kind, knobs): (Kind, &Knobs),
        step: Option<String>,
        contender: Contender,
    ) -> Result<Outcome> {
        let workload = Workload::new(kind, knobs)?;
        let mut setting = Setting {
            clock: stage.clock,
            interrupts: stage.interrupts,
            live: stage.live,
            name: self.file.name.clone(),
            step,
            system: Some(contender.name()),
        };
        let mut outcome = run(&workload, &mut setting)?;
        if let Some(meaning) = contender.system.durability_of_server(contender.durability) {
            meaning.clone_into(&mut outcome.durability);
        }
        Ok(outcome)
    }

    /// Takes out who cannot run the workload, and says why; nobody is started yet.
    fn without_the_unable(&mut self, stage: &mut Stage<'_>) -> Result<Vec<String>> {
        let mut lacks = Vec::new();
        let mut able = Vec::new();
        for contender in &self.contenders {
            let mut lack = None;
            for step in &self.file.steps {
                let workload = Workload::new(step.kind, &self.knobs.over(&step.knobs)?)?;
                lack = lack.or(workload.lack_of(contender.system.protocol()));
            }
            match lack {
                None => able.push(*contender),
                Some(lack) => {
                    let name = contender.name();
                    lacks.push(format!("{} is not available for {name}: {lack}", self.file.name));
                }
            }
        }
        self.contenders = able;
        for lack in &lacks {
            stage.live.note(lack);
        }
        ensure!(self.contenders.len() > 1, "nothing is left to compare: {}", lacks.join("; "));
        Ok(lacks)
    }
}

/// Has the file system write what it holds back: a relaxed system has left it there, and the next one to be
/// measured would find the disk busy with it.
fn settle(data_dir: &std::path::Path) {
    // Without it the comparison is only less even.
    drop(std::process::Command::new("sync").arg("--file-system").arg(data_dir).status());
}

fn server_of(servers: &mut [(Seat, Server)], contender: Contender) -> Result<&mut Server> {
    let found = servers.iter_mut().find(|(seat, _)| *seat == contender.seat());
    Ok(&mut found.context("every contender's system was started")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contenders_are_durable_unless_they_say() {
        for (text, expected) in [
            ("klamm", Some("klamm durable")),
            ("kafka:relaxed", Some("kafka relaxed")),
            ("kafka:durable", Some("kafka durable")),
            ("nats", Some("nats durable")),
            ("nats:relaxed", Some("nats relaxed")),
            ("kafka:fast", None),
            ("rabbit", None),
        ] {
            let found = Contender::parse(text).ok().map(Contender::name);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
