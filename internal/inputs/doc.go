// Package inputs describes and validates the values that an app requests from the user who
// installs it.
//
// Inputs are declared by an app manifest, by questions.yaml or by the schema of a chart.
// CheckInputs compares the given values with them and reports all problems together. The titles
// of entrances are validated in the same way.
package inputs
