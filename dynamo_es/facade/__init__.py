"""The interface that all backends share: streams, typed events, the log and its consumers."""
