//! The custom resources, and the only place that names Kubernetes types: objects to facts, watches, lease, events.
