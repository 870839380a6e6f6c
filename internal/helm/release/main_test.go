package release_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/appmarket/operator/internal/helm/helmtest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == operatorArgument {
		if err := runOperator(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(helmtest.Run(m))
}
