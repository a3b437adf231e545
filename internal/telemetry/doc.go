// Package telemetry says how a program does, without saying about whom: spans for a collector (OpenTelemetry), numbers for
// Prometheus, and the fields by which the lines of a log belong together. It knows no tool, no request and no tenant; whoever
// builds a program hands it the names of what is measured. Nothing that a caller typed and no name of a device goes in.
//
// It has its own writers of both formats (OTLP over HTTP, and Prometheus' text), because the usual libraries cost more at the
// start of a program than everything else that this one does there. Tests read what they write with those libraries.
package telemetry
