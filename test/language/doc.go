// Package language checks the language of the repository: words that the documentation of
// Kubernetes would not use, and names of functions that consist of one word.
//
// words.txt contains the words, one for each line. It only grows. The budgets in this
// package are the hits that are left. They only fall: a test also fails if a budget is
// larger than what it counts.
package language
