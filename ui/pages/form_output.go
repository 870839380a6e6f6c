package pages

import (
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// formOutput is what a form writes, in the forms in which users can write it themselves. It has no confidential
// values.
type formOutput struct {
	// Manifest contains the objects that the form writes, and Command is the command of the kubectl plugin that
	// writes the same objects.
	Manifest, Command string
	// GitManifest is what a user keeps in a git repository instead: the AppInstance in place of a task, or the
	// source. It is empty if there is nothing to keep.
	GitManifest string
	// IsSource reports that the form writes a source and not a task.
	IsSource bool
	// HasSecret reports that the manifest contains a Secret, without data.
	HasSecret bool
	// FileName is the name of the file with the manifest, without its extension.
	FileName string
}

// newFormOutput returns the output for a task and the Secret with the entered confidential inputs, which is written
// before. present is the instance of the task, or the one that is cloned, nil if there is none.
func newFormOutput(task *v1alpha1.AppInstallTask, confidential map[string]string, present *v1alpha1.AppInstance) (formOutput, error) {
	if task.Namespace == "" { // None is selected yet.
		task = task.DeepCopy()
		task.Namespace = "NAMESPACE"
	}
	output := formOutput{HasSecret: len(confidential) > 0, FileName: task.Name}
	var err error
	if output.Manifest, err = taskbuilder.Manifest(taskbuilder.NewObjects(task, output.HasSecret)...); err != nil {
		return output, fmt.Errorf("write manifest: %w", err)
	}
	if output.Command, err = taskbuilder.CommandFor(task, isKeyOf(confidential)); err != nil {
		return output, fmt.Errorf("write command: %w", err)
	}
	if instance := taskbuilder.NewInstance(task, present); instance != nil {
		if output.GitManifest, err = taskbuilder.Manifest(instance); err != nil {
			return output, fmt.Errorf("write manifest of the instance: %w", err)
		}
	}
	return output, nil
}

// Kubectl returns the command of kubectl that writes the same objects.
func (o formOutput) Kubectl() string { return taskbuilder.ApplyCommand(o.Manifest) }

// file returns a file with the output, and its name without its extension. Both are empty if there is none.
func (o formOutput) file(kind string) (text, name string) {
	if kind == "git" && !o.IsSource {
		return o.GitManifest, "appinstance"
	}
	return o.Manifest, o.FileName
}

// serveManifest serves the manifest of a form as a file, without a change of the cluster: the objects that the form
// writes, or the AppInstance for a git repository.
func (s *Server) serveManifest(load pageFunc) func(http.ResponseWriter, *request) {
	return s.withForm(load, func(w http.ResponseWriter, r *request, v *view) {
		text, name := "", ""
		if form, ok := v.data.(interface {
			file(kind string) (text, name string)
		}); ok {
			text, name = form.file(r.PostFormValue("file"))
		}
		if text == "" {
			s.writeError(w, r, notFound(r, "problem.noPage", "/apps", "problem.showApps"))
			return
		}
		w.Header().Set("Content-Type", "application/yaml")
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name + ".yaml"}))
		w.Header().Set("Cache-Control", "no-store")
		_, _ = io.WriteString(w, text)
	})
}
