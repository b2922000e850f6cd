//! Whatever the watch tells late, in another order, or not at all: does a pod ever get its predecessor's token?
//!
//! One address goes from pod to pod. The kernel notices at once, the API when it gets to it, and the watch tells
//! each object's changes in their order, but late, between those of other objects, or not before it is begun anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use podid_core::answer::Mode;
use podid_core::facts::{Phase, Pod};
use podid_core::ids::{ObjectRef, Uid};
use podid_kube::watch::Change;
use proptest::prelude::*;
use tokio::task::JoinHandle;

use super::stage::{METADATA, Says, Stage, TOKEN, Told, VAULT, binding, client_id, identity, ip, old_pod};

const ADDRESS: &str = "10.0.0.1";

/// Pods have one of these names; with the same one the next pod is another object.
const NAMES: [&str; 2] = ["web", "job"];

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The address goes to a new pod.
    Replace { same_name: bool, before: Before, shown: bool },
    /// The API shows what is: the new pod has the address, and the old one is gone.
    Show,
    /// The watch tells the next thing about the pod of that name.
    Tell(usize),
    /// It does not, and will not.
    Lose(usize),
    /// The watch is begun anew.
    Begin,
    /// The pod that has the address asks, and is answered.
    Ask,
    /// It asks, and the token takes its time.
    AskSlowly,
    /// Time passes.
    Pass,
    /// The API goes or comes back.
    Reach(bool),
}

/// What the API says of the predecessor when the address is reused.
#[derive(Clone, Copy, Debug)]
enum Before {
    Terminating,
    Finished,
    Gone,
}

struct Play {
    stage: Stage,
    /// Counts the pods that had the address; the last one has it.
    number: usize,
    name: usize,
    api: BTreeMap<&'static str, Pod>,
    untold: [VecDeque<Change<Pod>>; 2],
    slow: Vec<JoinHandle<Told>>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let before = prop_oneof![Just(Before::Terminating), Just(Before::Finished), Just(Before::Gone)];
    let replace = (any::<bool>(), before, any::<bool>())
        .prop_map(|(same_name, before, shown)| Step::Replace { same_name, before, shown });
    let step = prop_oneof![
        3 => replace,
        2 => Just(Step::Show),
        6 => (0..2usize).prop_map(Step::Tell),
        2 => (0..2usize).prop_map(Step::Lose),
        1 => Just(Step::Begin),
        5 => Just(Step::Ask),
        2 => Just(Step::AskSlowly),
        1 => Just(Step::Pass),
        1 => any::<bool>().prop_map(Step::Reach),
    ];
    prop::collection::vec(step, 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_pod_never_gets_its_predecessors_token_and_its_own_in_the_end(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let mut play = Play::begin().await;
            for step in &steps {
                play.go(*step).await;
            }
            play.end().await;
        });
    }
}

// === impl Play ===

impl Play {
    async fn begin() -> Self {
        let stage = Stage::with(Mode::Managed, |_| {}).await;
        let mut play = Self {
            stage,
            number: 0,
            name: 0,
            api: BTreeMap::new(),
            untold: [VecDeque::new(), VecDeque::new()],
            slow: vec![],
        };
        play.prepare();
        play.appear(true);
        play.tell_all();
        play.stage.settle().await;
        play
    }

    /// Each pod has an identity of its own.
    fn prepare(&self) {
        let name = format!("of-{}", self.number);
        self.stage.cluster.apply_identity(identity("shop", &name));
        self.stage.cluster.apply_binding(binding("shop", &name, &name));
        self.stage.imds.has(&[&name]);
    }

    async fn go(&mut self, step: Step) {
        match step {
            Step::Replace { same_name, before, shown } => self.replace(same_name, before, shown).await,
            Step::Show => self.show(),
            Step::Tell(name) => self.tell(name).await,
            Step::Lose(name) => drop(self.untold[name].pop_front()),
            Step::Begin => {
                self.begin_anew();
                self.stage.settle().await;
            }
            Step::Ask => self.see(&self.stage.token(ADDRESS, "").await),
            Step::AskSlowly => self.ask_slowly().await,
            Step::Pass => tokio::time::sleep(Duration::from_secs(1)).await,
            Step::Reach(reach) => self.stage.cluster.live.lock().unwrap().out_of_reach = !reach,
        }
        self.show_api();
    }

    /// Live questions find what the API has.
    fn show_api(&self) {
        self.stage.cluster.live.lock().unwrap().pods = self.api.values().cloned().collect();
    }

    async fn replace(&mut self, same_name: bool, before: Before, shown: bool) {
        // A name can be given again only when its object is gone.
        let (old, new) = (self.name, if same_name { self.name } else { 1 - self.name });
        if same_name {
            self.remove(old);
        } else {
            self.remove(new);
            match before {
                Before::Terminating => self.change(old, |pod| pod.terminating = true),
                Before::Finished => self.change(old, |pod| pod.phase = Phase::Finished),
                Before::Gone => self.remove(old),
            }
        }
        self.number += 1;
        self.name = new;
        self.prepare();
        self.appear(shown);
        self.show_api();
        self.stage.settle().await;
        self.stage.neighbours.moved(ip(ADDRESS));
        for request in std::mem::take(&mut self.slow) {
            if !request.is_finished() {
                self.see(&request.await.unwrap());
            }
        }
    }

    /// What the answer, if it leaves now, may be.
    fn see(&self, told: &Told) {
        match told.status {
            200 => assert_eq!(told.json()["client_id"], client_id(&format!("of-{}", self.number))),
            status => assert_eq!(status, 503, "{}", told.body),
        }
    }

    /// The API has the new pod, with its address or not yet.
    fn appear(&mut self, shown: bool) {
        let name = NAMES[self.name];
        let mut pod = old_pod("shop", name, ADDRESS);
        pod.uid = Uid::new(format!("uid-{}", self.number));
        pod.labels = BTreeMap::from([("aadpodidbinding".into(), format!("of-{}", self.number).into())]);
        if !shown {
            pod.addresses.clear();
        }
        self.api.insert(name, pod.clone());
        self.untold[self.name].push_back(Change::Applied(Arc::new(pod)));
    }

    fn show(&mut self) {
        self.change(self.name, |pod| pod.addresses = vec![ip(ADDRESS)]);
        self.remove(1 - self.name);
    }

    fn change(&mut self, name: usize, change: impl FnOnce(&mut Pod)) {
        let Some(pod) = self.api.get_mut(NAMES[name]) else { return };
        change(pod);
        self.untold[name].push_back(Change::Applied(Arc::new(pod.clone())));
    }

    fn remove(&mut self, name: usize) {
        if self.api.remove(NAMES[name]).is_some() {
            self.untold[name].push_back(Change::Gone(ObjectRef::new("shop", NAMES[name])));
        }
    }

    async fn tell(&mut self, name: usize) {
        if let Some(change) = self.untold[name].pop_front() {
            self.stage.cluster.tell_of_pod(change);
            self.stage.settle().await;
        }
    }

    fn tell_all(&mut self) {
        for change in self.untold.iter_mut().flat_map(|untold| untold.drain(..)) {
            self.stage.cluster.tell_of_pod(change);
        }
    }

    /// A watch that is begun anew tells what is, and of everything else that it is gone.
    fn begin_anew(&mut self) {
        self.untold = [VecDeque::new(), VecDeque::new()];
        for name in NAMES {
            let change = match self.api.get(name) {
                Some(pod) => Change::Applied(Arc::new(pod.clone())),
                None => Change::Gone(ObjectRef::new("shop", name)),
            };
            self.stage.cluster.tell_of_pod(change);
        }
    }

    async fn ask_slowly(&mut self) {
        self.stage.imds.says(Says::Late(Duration::from_secs(3)));
        let server = self.stage.server.clone();
        let target = format!("{TOKEN}?{VAULT}&bypass_cache=true");
        let request =
            tokio::spawn(async move { Stage::send_to(&server, ADDRESS, "GET", &target, &[METADATA]).await });
        self.stage.settle().await;
        self.stage.imds.says(Says::Truth);
        self.slow.push(request);
    }

    /// All is told in the end.
    async fn end(mut self) {
        self.go(Step::Reach(true)).await;
        self.go(Step::Show).await;
        self.go(Step::Begin).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told = self.stage.token(ADDRESS, "").await;
        assert_eq!(told.status, 200, "{}", told.body);
        self.see(&told);
    }
}
