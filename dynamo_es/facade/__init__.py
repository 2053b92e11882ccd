"""The interface that all backends share: streams, typed events, and the log's consumers."""
