package mdecore

// StringAnswer is stringAnswer for the contract tests.
type StringAnswer = stringAnswer
