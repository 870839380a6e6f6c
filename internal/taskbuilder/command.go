package taskbuilder

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/values"
)

// CommandFor returns the command of the kubectl plugin that creates a task with the same spec, ready
// to be pasted into a shell. The plugin asks for the inputs whose key of the Secret of NewInputsSecret is
// written together with the task, so that no confidential text is in the command. isWritten reports
// whether a key is.
func CommandFor(task *v1alpha1.AppInstallTask, isWritten func(key string) bool) (string, error) {
	arguments, err := commandArguments(task, isWritten)
	if err != nil {
		return "", err
	}
	return PluginCommand(arguments), nil
}

// PluginCommand returns the command of the kubectl plugin with arguments, ready to be pasted into a shell.
func PluginCommand(arguments []string) string {
	quoted := make([]string, len(arguments))
	for i, argument := range arguments {
		quoted[i] = quoteArgument(argument)
	}
	return "kubectl market " + strings.Join(quoted, " ")
}

var plainArgument = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quoteArgument quotes an argument for a POSIX shell if necessary.
func quoteArgument(argument string) string {
	if plainArgument.MatchString(argument) {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// arguments are the arguments of a command.
type arguments []string

// addFlag adds a flag unless its value is empty.
func (a *arguments) addFlag(name, value string) {
	if value != "" {
		*a = append(*a, "--"+name, value)
	}
}

// addSwitch adds a flag without a value if it is set.
func (a *arguments) addSwitch(name string, set bool) {
	if set {
		*a = append(*a, "--"+name)
	}
}

// CommandArguments returns the arguments of the plugin for a task, without the name of the program. The
// plugin asks for all inputs that the Secret of NewInputsSecret contains.
func CommandArguments(task *v1alpha1.AppInstallTask) ([]string, error) {
	return commandArguments(task, func(string) bool { return true })
}

// commandArguments returns the arguments of the plugin for a task.
func commandArguments(task *v1alpha1.AppInstallTask, isWritten func(key string) bool) ([]string, error) {
	spec := &task.Spec
	a := subjectArguments(task)
	if spec.Rollback != nil && spec.Rollback.Revision != 0 {
		a.addFlag("to-revision", fmt.Sprint(spec.Rollback.Revision))
	}
	a.addSwitch("allow-downgrade", spec.AllowsDowngrade())
	a.addSwitch("with-dependents", spec.UninstallsDependents())
	a.addSwitch("with-shared-charts", spec.RemovesSharedCharts())
	a.addFlag("data", strings.ToLower(string(spec.RequestedDataPolicy())))
	if err := a.addConfiguration(task, isWritten); err != nil {
		return nil, err
	}
	a.addFlag("service-account", spec.ServiceAccountName)
	a.addSwitch("with-dependencies", spec.Dependencies == v1alpha1.DependenciesInstall)
	a.addFlag("on-failure", strings.ToLower(string(spec.OnFailure)))
	a.addFlag("on-missing-input", strings.ToLower(string(spec.OnMissingInput)))
	a.addFlag("on-unmet-requirement", strings.ToLower(string(spec.OnUnmetRequirement)))
	a.addFlag("operation-timeout", string(spec.Timeout))
	a.addFlag("deadline", string(spec.StartDeadline))
	if ttl := spec.TTLSecondsAfterFinished; ttl != nil {
		a.addFlag("ttl", (time.Duration(*ttl) * time.Second).String())
	}
	a.addFlag("run-id", spec.RunID)
	return a, nil
}

// subjectArguments returns the name of the command with the app or the instance that it is for.
func subjectArguments(task *v1alpha1.AppInstallTask) arguments {
	spec := &task.Spec
	app := spec.AppRef.Source + "/" + spec.AppRef.Name
	if spec.AppRef.Namespace != "" {
		app = spec.AppRef.Namespace + "/" + app
	} else {
		app = task.Namespace + "/" + app
	}
	a := arguments{strings.ToLower(string(spec.Action))}
	switch spec.Action {
	case v1alpha1.ActionInstall:
		a = append(a, app, "--namespace", task.Namespace)
		a.addFlag("name", spec.InstanceName)
	case v1alpha1.ActionAdopt:
		a = append(a, task.Instance(), "--namespace", task.Namespace, "--app", app)
	case v1alpha1.ActionClone:
		from := spec.CloneFrom()
		a = append(a, strings.TrimPrefix(from.Namespace+"/"+from.Name, "/"), "--namespace", task.Namespace, "--name", spec.InstanceName)
	default:
		a = append(a, task.Instance(), "--namespace", task.Namespace)
	}
	return a
}

// addConfiguration adds the version and the configuration of a task.
func (a *arguments) addConfiguration(task *v1alpha1.AppInstallTask, isWritten func(key string) bool) error {
	given := task.Spec.Parameters()
	a.addFlag("version", given.Version)
	a.addFlag("title", given.Title)
	for _, entrance := range given.Entrances {
		a.addFlag("entrance", entrance.Name+"="+entrance.Title)
	}
	decoded, err := values.DecodeField(given.Values)
	if err != nil {
		return err
	}
	a.addSwitch("reset-values", given.Values != nil && task.Spec.Action != v1alpha1.ActionInstall && task.Spec.Action != v1alpha1.ActionAdopt)
	for _, key := range slices.Sorted(maps.Keys(decoded)) {
		value, err := EncodeValues(map[string]any{"": decoded[key]})
		if err != nil {
			return err
		}
		text := string(value.Raw)
		a.addFlag("set-json", escapeKey(key)+"="+text[len(`{"":`):len(text)-1])
	}
	for _, from := range given.ValuesFrom {
		a.addFlag("values-from", ValuesReferenceText(from))
	}
	for _, input := range given.Inputs {
		a.addInput(task.Instance(), input, isWritten)
	}
	if ref := given.CredentialSecretRef; ref != nil {
		a.addFlag("credential", ref.Name+"/"+ref.Key)
	}
	if ref := given.PurchaseRequestSecretRef; ref != nil {
		a.addFlag("purchase-request", ref.Name+"/"+ref.Key)
	}
	return nil
}

// escapeKey escapes the characters of a key that the flag --set-json interprets.
func escapeKey(key string) string {
	return strings.NewReplacer(`\`, `\\`, ".", `\.`, "[", `\[`, "=", `\=`, ",", `\,`).Replace(key)
}

// addInput adds an input of an instance.
func (a *arguments) addInput(instance string, input v1alpha1.InputValue, isWritten func(key string) bool) {
	if input.ValueFrom == nil {
		value := ""
		if input.Value != nil {
			value = *input.Value
		}
		a.addFlag("input", input.Name+"="+value)
		return
	}
	if ref := input.ValueFrom.SecretKeyRef; ref != nil && ref.Name == InputsSecretName(instance) && ref.Key == input.Name && isWritten(ref.Key) {
		a.addFlag("secret-input", input.Name)
		return
	}
	a.addFlag("input-from", input.Name+"="+InputSourceText(input.ValueFrom))
}
