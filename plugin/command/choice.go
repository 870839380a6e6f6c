package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choice is a flag whose value is one of several names of the API, in any case.
type choice[T ~string] struct {
	value   *T
	options []T
}

var _ pflag.Value = &choice[string]{}

// String implements pflag.Value.
func (c *choice[T]) String() string {
	if c.value == nil {
		return ""
	}
	return strings.ToLower(string(*c.value))
}

// Set implements pflag.Value.
func (c *choice[T]) Set(given string) error {
	for _, option := range c.options {
		if strings.EqualFold(string(option), given) {
			*c.value = option
			return nil
		}
	}
	return fmt.Errorf("must be one of %s", strings.Join(c.names(), ", "))
}

// Type implements pflag.Value.
func (c *choice[T]) Type() string { return strings.Join(c.names(), "|") }

func (c *choice[T]) names() []string {
	var names []string
	for _, option := range c.options {
		names = append(names, strings.ToLower(string(option)))
	}
	return names
}

// addChoice adds a flag with the given options, and their completion.
func addChoice[T ~string](c *cobra.Command, value *T, name, usage string, options ...T) {
	flag := &choice[T]{value: value, options: options}
	c.Flags().Var(flag, name, usage)
	completeFlag(c, name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return flag.names(), cobra.ShellCompDirectiveNoFileComp
	})
}
