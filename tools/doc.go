// Package tools is what the product can do: every tool is declared once, in the file of its family, and listed once, in the
// catalogue. From the declaration derive the schemas, the validation, the words of a command line and the policy
// vocabulary, so that every face refuses the same mistake with the same words.
//
// A tool's functions are unexported. Reading tools run through [Dispatcher.Call] after policy allowed them. Acting tools
// never act there: they make a plan, which the gate takes in. What was approved is performed by a [Performer], which
// only the worker holds.
package tools
