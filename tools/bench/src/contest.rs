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
use crate::workload::Workload;

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

    /// As the results name it.
    pub fn name(self) -> String {
        format!("{} {}", self.system.name(), self.durability.name())
    }
}

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
    pub fn run(&self, stage: &mut Stage<'_>) -> Result<(Vec<Outcome>, Comparison)> {
        ensure!(self.contenders.len() > 1, "a comparison is between two systems at least");
        ensure!(self.repetitions > 0, "repetitions: at least 1");
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
                    let server = server_of(&mut servers, contender.system)?;
                    let note = format!("{} of {}", repetition + 1, self.repetitions);
                    stage.live.note(&note);
                    let knobs = self.knobs_of(**contender, server, &step.knobs)?;
                    let name = Some(contender.name());
                    let outcome = self.one(stage, &knobs, step.name.clone(), name)?;
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
        let comparison = compare(&outcomes, &sides, self.method(&servers))?;
        Ok((outcomes, comparison))
    }

    fn method(&self, servers: &[(System, Server)]) -> String {
        let own_group = servers.iter().all(|(_, server)| server.cgroup().is_some());
        format!(
            "{} interleaved repetitions, medians [smallest – largest]; all systems run throughout, the others idle; CPU and memory by {}; cores are shared with the tool",
            self.repetitions,
            if own_group { "control group" } else { "process" }
        )
    }

    fn start(&self, stage: &mut Stage<'_>) -> Result<Vec<(System, Server)>> {
        let mut servers: Vec<(System, Server)> = Vec::new();
        for contender in &self.contenders {
            if servers.iter().any(|(system, _)| *system == contender.system) {
                continue;
            }
            let system = contender.system;
            stage.live.note(&format!("starting {}", system.name()));
            let mut server = Server::set_up(system, &self.place, system.name())?;
            server.start(stage.clock)?;
            servers.push((system, server));
        }
        for contender in self.contenders.iter().filter(|contender| contender.system.warms_up()) {
            if self.jvm_warm_up.is_zero() {
                continue;
            }
            stage.live.note(&format!("warming {}", contender.name()));
            let server = server_of(&mut servers, contender.system)?;
            let step = self.file.steps.first().context("a workload has a step")?;
            let mut knobs = self.knobs_of(*contender, server, &step.knobs)?;
            knobs.warm_up = Some("0s".to_owned());
            knobs.duration = Some(format!("{}ms", self.jvm_warm_up.as_millis()));
            self.one(stage, &knobs, Some("warm-up".to_owned()), Some(contender.name()))?;
        }
        Ok(servers)
    }

    /// The step's knobs, over them the command line's, over them what the contender makes of them.
    fn knobs_of(&self, contender: Contender, server: &Server, step: &Knobs) -> Result<Knobs> {
        let mut knobs = self.knobs.over(step)?;
        knobs.bootstrap_server = Some(server.address().to_string());
        knobs.topic_config.retain(|config| !config.starts_with("flush."));
        knobs.topic_config.push(contender.durability.topic_config());
        knobs.server_pid = server.pid().into_iter().collect();
        knobs.server_cgroup = server.cgroup().map(Into::into);
        Ok(knobs)
    }

    fn one(
        &self,
        stage: &mut Stage<'_>,
        knobs: &Knobs,
        step: Option<String>,
        system: Option<String>,
    ) -> Result<Outcome> {
        let workload = Workload::new(self.file.kind, knobs)?;
        let mut setting = Setting {
            clock: stage.clock,
            interrupts: stage.interrupts,
            live: stage.live,
            name: self.file.name.clone(),
            step,
            system,
        };
        run(&workload, &mut setting)
    }
}

fn server_of(servers: &mut [(System, Server)], system: System) -> Result<&mut Server> {
    let found = servers.iter_mut().find(|(one, _)| *one == system);
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
            ("kafka:fast", None),
            ("rabbit", None),
        ] {
            let found = Contender::parse(text).ok().map(Contender::name);
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
