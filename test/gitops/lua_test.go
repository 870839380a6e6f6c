package gitops_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// runLua runs a script for an object like Argo CD runs a script from a ConfigMap: with the base and
// table libraries, only time and date of os, without string and math, and with a limit of one
// second.
func runLua(object *unstructured.Unstructured, script string) (any, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		state.Push(state.NewFunction(open))
		state.Push(lua.LString(name))
		if err := state.PCall(1, 0, nil); err != nil {
			return nil, fmt.Errorf("open library %q: %w", name, err)
		}
	}
	state.PreloadModule(lua.OsLibName, safeOS)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	return fromLua(state.Get(-1))
}

// safeOS opens the os library with its harmless functions only.
func safeOS(state *lua.LState) int {
	whole := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer whole.Close()
	lua.OpenOs(whole)
	all := whole.Get(-1).(*lua.LTable)
	safe := state.NewTable()
	for _, name := range []string{"time", "date"} {
		safe.RawSetString(name, state.NewFunction(all.RawGetString(name).(*lua.LFunction).GFunction))
	}
	state.Push(safe)
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case string:
		return lua.LString(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}

func fromLua(value lua.LValue) (any, error) {
	switch value := value.(type) {
	case lua.LBool:
		return bool(value), nil
	case lua.LString:
		return string(value), nil
	case lua.LNumber:
		return int64(value), nil
	case *lua.LTable:
		return fromTable(value)
	}
	return nil, fmt.Errorf("the script returned a %s", value.Type())
}

// fromTable converts a table with numbered entries to a list, and any other table to a map.
func fromTable(table *lua.LTable) (any, error) {
	var list []any
	fields := map[string]any{}
	var failed error
	table.ForEach(func(key, value lua.LValue) {
		item, err := fromLua(value)
		if err != nil {
			failed = fmt.Errorf("%s: %w", key, err)
		}
		if key.Type() == lua.LTNumber {
			list = append(list, item)
			return
		}
		fields[key.String()] = item
	})
	if list != nil {
		return list, failed
	}
	return fields, failed
}

// luaMap runs a script that returns a map.
func luaMap(g Gomega, object *unstructured.Unstructured, script string) map[string]any {
	answer, err := runLua(object, script)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(answer).To(BeAssignableToTypeOf(map[string]any{}))
	return answer.(map[string]any)
}
