// Package inputs describes and checks what an app asks of the person who installs it.
//
// Inputs are declared by an app manifest, by questions.yaml or by the schema of a chart.
// Check compares given texts with them and reports all problems at once. Titles of
// entrances are checked in the same way.
package inputs
