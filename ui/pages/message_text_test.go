package pages

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/locale"
)

func TestMessagesNameControls(t *testing.T) {
	for _, c := range []struct{ message, english, chinese string }{
		{`service account "a" lacks get; apply status.preflight[0].remedy`, `service account "a" lacks get; apply the manifest below`, `service account "a" lacks get; apply 下面的清单`},
		{"2 inputs are missing; see status.requiredInputs", "2 inputs are missing; see the inputs below", "2 inputs are missing; 请查看下面的输入项"},
		{
			"uninstall them first, or set spec.uninstall.dependents to Uninstall", "uninstall them first, or select “Also uninstall instances that depend on this instance”",
			"uninstall them first, or 请选择“同时卸载依赖该实例的其他实例”",
		},
		{
			"install it, or set spec.dependencies to Install", "install it, or select “Install the apps that this app requires, if they are not installed”",
			"install it, or 请选择“如果依赖的应用尚未安装，则一并安装”",
		},
		{"use action Upgrade, or set another spec.instanceName", "use action Upgrade, or use another name", "use action Upgrade, or 请使用其他名称"},
		{
			"spec.serviceAccountName is not set, and a permission is missing",
			"no service account is selected, and a permission is missing; or select a service account that has the permissions",
			"未选择服务账号, and a permission is missing; 或选择拥有这些权限的服务账号",
		},
		{"grant it, or set another spec.serviceAccountName", "grant it, or select another service account", "grant it, or 请选择其他服务账号"},
		{"image $1 status.preflight was not found", "image $1 status.preflight was not found", "image $1 status.preflight was not found"},
	} {
		t.Run(c.message, func(t *testing.T) {
			g := NewWithT(t)
			g.Expect(messageText(locale.English, c.message)).To(Equal(c.english))
			g.Expect(messageText(locale.Chinese, c.message)).To(Equal(c.chinese))
		})
	}
}

func TestMessagesInListsReferToNoField(t *testing.T) {
	for message, want := range map[string]string{
		`spec.install.inputs: set required "A"; see status.requiredInputs`:  `spec.install.inputs: set required "A"`,
		`service account "a" lacks get; apply status.preflight[0].remedy`:   `service account "a" lacks get`,
		`one; apply status.preflight[1].remedy; correct "B"`:                `one; correct "B"`,
		`app "wiki" is not offered to namespace "demo"; select another app`: `app "wiki" is not offered to namespace "demo"; select another app`,
	} {
		t.Run(message, func(t *testing.T) {
			NewWithT(t).Expect(withoutReferences(message)).To(Equal(want))
		})
	}
}
