// Package forms makes windows of tools' declarations, for people who would rather fill in than type, and reads them again.
//
// A window has one field for each argument: nothing about a tool is written down here, so that a new tool has its form at
// once. What is filled in becomes the same arguments as typed words do, and is checked by the same code. Nothing here calls
// anybody.
package forms
