//! One partition's committed offset: every write of it with the time in which it took effect, and so
//! what may be read of it.
//!
//! Time is counted in events that clients see. A write takes effect between its beginning and the latest
//! moment at which it can have: its answer, or for one without an answer the moment from which it cannot
//! come any more. A read is right if its write may have been the last one at some moment of the read.

/// What is read where nothing was ever written.
const NOTHING: u64 = 0;

/// A commit, or a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Write {
    number: u64,
    /// None for a deletion.
    offset: Option<i64>,
    /// Of the group, when it was sent; negative for one that only ends with the process.
    generation: i32,
    begun: u64,
    /// Until when it can have taken effect; none while it still may.
    latest: Option<u64>,
    /// It took effect: it was acknowledged, or seen.
    certain: bool,
    /// The last read that saw it.
    seen: Option<(u64, u64)>,
    /// It may have outlived its retention.
    may_expire: bool,
}

/// The offset of one partition, for one group.
#[derive(Clone, Debug)]
pub struct Register {
    writes: Vec<Write>,
}

impl Write {
    /// As if something had taken everything away in this time.
    fn nothing(begun: u64, latest: u64) -> Write {
        Write {
            number: NOTHING,
            offset: None,
            generation: -1,
            begun,
            latest: Some(latest),
            certain: true,
            seen: None,
            may_expire: false,
        }
    }
}

impl Default for Register {
    fn default() -> Self {
        Register { writes: vec![Write::nothing(0, 0)] }
    }
}

impl Register {
    /// A write is about to be sent.
    pub fn begin(
        &mut self,
        now: u64,
        number: u64,
        generation: i32,
        offset: Option<i64>,
        may_expire: bool,
    ) {
        self.writes.push(Write {
            number,
            offset,
            generation,
            begun: now,
            latest: None,
            certain: false,
            seen: None,
            may_expire,
        });
    }

    /// A write was acknowledged.
    pub fn acknowledge(&mut self, now: u64, number: u64) {
        if let Some(write) = self.writes.iter_mut().find(|write| write.number == number) {
            write.certain = true;
            write.latest = Some(write.latest.map_or(now, |latest| latest.min(now)));
        }
    }

    /// A write was refused, and is not there.
    pub fn refuse(&mut self, number: u64) {
        self.writes.retain(|write| write.number != number);
    }

    /// What was sent in an older generation and is not there yet never will be.
    pub fn settle_before(&mut self, now: u64, generation: i32) {
        let old = |write: &&mut Write| (0..generation).contains(&write.generation);
        for write in self.writes.iter_mut().filter(old) {
            write.latest.get_or_insert(now);
        }
    }

    /// The process has ended: nothing that it was sent can take effect any more.
    pub fn settle(&mut self, now: u64) {
        for write in &mut self.writes {
            write.latest.get_or_insert(now);
        }
    }

    /// The wall clock jumped beyond the retention.
    pub fn may_expire(&mut self) {
        for write in &mut self.writes {
            write.may_expire = true;
        }
    }

    /// Whether this write may be what a read finds that began at `since`.
    fn is_possible(&self, write: &Write, since: u64) -> bool {
        let Some(latest) = write.latest else { return true };
        !self.writes.iter().filter(|other| other.certain && other.number != write.number).any(
            |other| {
                other.begun > latest && other.latest.is_some_and(|end| end < since)
                    || other.seen.is_some_and(|(begin, end)| begin > latest && end < since)
            },
        )
    }

    /// Whether a read that begins now may find nothing.
    pub fn may_be_absent(&self, now: u64) -> bool {
        let absent = |write: &&Write| write.offset.is_none() || write.may_expire;
        self.writes.iter().filter(absent).any(|write| self.is_possible(write, now))
    }

    /// The offset of the newest write that took effect for certain.
    pub fn newest(&self) -> Option<i64> {
        let certain = self.writes.iter().filter(|write| write.certain);
        certain.max_by_key(|write| write.begun)?.offset
    }

    /// A read that began at `since` has found this; tells what is wrong with it.
    pub fn read(&mut self, since: u64, now: u64, found: Option<(u64, i64)>) -> Result<(), String> {
        let Some((number, offset)) = found else { return self.read_nothing(since, now) };
        let place = self.writes.iter().position(|write| write.number == number);
        let Some(place) = place else {
            return Err(format!("commit {number} of {offset} was refused or is long gone"));
        };
        let write = self.writes[place];
        if write.offset != Some(offset) {
            return Err(format!("commit {number} was of {:?}, not {offset}", write.offset));
        }
        if !self.is_possible(&write, since) {
            return Err(format!("commit {number} of {offset} was replaced: {self:?}"));
        }
        self.see(place, since, now);
        Ok(())
    }

    fn read_nothing(&mut self, since: u64, now: u64) -> Result<(), String> {
        let absent = |write: &Write| write.offset.is_none() && self.is_possible(write, since);
        if let Some(place) = self.writes.iter().position(absent) {
            self.see(place, since, now);
            return Ok(());
        }
        let expired = |write: &Write| write.may_expire && self.is_possible(write, since);
        if !self.writes.iter().any(expired) {
            return Err(format!("nothing is there: {self:?}"));
        }
        self.writes.push(Write::nothing(since, now));
        Ok(())
    }

    fn see(&mut self, place: usize, since: u64, now: u64) {
        let write = &mut self.writes[place];
        write.certain = true;
        write.latest = Some(write.latest.map_or(now, |latest| latest.min(now)));
        write.seen = Some((since, now));
    }

    /// Forgets what no read can find that begins from now on.
    pub fn tidy(&mut self, now: u64) {
        let kept: Vec<Write> =
            self.writes.iter().filter(|write| self.is_possible(write, now)).copied().collect();
        self.writes = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes of the numbers 1, 2, … and what may be read of them afterwards.
    fn check(write: impl Fn(&mut Register), since: u64, possible: &[u64]) {
        let mut register = Register::default();
        write(&mut register);
        for number in 0..5u64 {
            let mut register = register.clone();
            let found = (number > 0).then_some((number, number as i64));
            let is_right = register.read(since, 100, found).is_ok();
            assert_eq!(is_right, possible.contains(&number), "{number} of {register:?}");
        }
    }

    fn begin(register: &mut Register, now: u64, number: u64) {
        register.begin(now, number, 1, Some(number as i64), false);
    }

    #[test]
    fn only_the_last_write_is_read() {
        check(|_| {}, 50, &[0]);
        let two = |register: &mut Register| {
            begin(register, 1, 1);
            register.acknowledge(2, 1);
            begin(register, 3, 2);
            register.acknowledge(10, 2);
        };
        check(two, 50, &[2]);
        // A read that began before the second was acknowledged may have come before it.
        check(two, 5, &[1, 2]);
    }

    #[test]
    fn writes_at_one_time_come_in_any_order() {
        let write = |register: &mut Register| {
            begin(register, 1, 1);
            begin(register, 2, 2);
            register.acknowledge(3, 2);
            register.acknowledge(4, 1);
        };
        check(write, 50, &[1, 2]);
        let seen = |register: &mut Register| {
            write(register);
            register.read(10, 11, Some((1, 1))).expect("it may be the last");
        };
        check(seen, 50, &[1]);
    }

    #[test]
    fn a_write_without_an_answer_may_still_come_until_it_cannot() {
        let write = |register: &mut Register| {
            begin(register, 1, 1);
            begin(register, 2, 2);
            register.acknowledge(3, 2);
        };
        check(write, 50, &[1, 2]);
        let settled = |register: &mut Register| {
            write(register);
            register.settle_before(4, 2);
            begin(register, 5, 3);
            register.acknowledge(6, 3);
        };
        check(settled, 50, &[3]);
        let refused = |register: &mut Register| {
            begin(register, 1, 1);
            register.acknowledge(2, 1);
            begin(register, 3, 2);
            register.refuse(2);
        };
        check(refused, 50, &[1]);
    }

    #[test]
    fn what_may_expire_may_be_gone_until_it_is_written_again() {
        let expired = |register: &mut Register| {
            begin(register, 1, 1);
            register.acknowledge(2, 1);
            register.may_expire();
        };
        check(expired, 50, &[0, 1]);
        let again = |register: &mut Register| {
            expired(register);
            begin(register, 3, 2);
            register.acknowledge(4, 2);
        };
        check(again, 50, &[2]);
        let gone = |register: &mut Register| {
            expired(register);
            register.read(5, 6, None).expect("it may have expired");
        };
        check(gone, 50, &[0]);
    }
}
