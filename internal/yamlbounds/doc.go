// Package yamlbounds bounds the cost of parsing YAML before it is parsed.
package yamlbounds
