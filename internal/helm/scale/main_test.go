package scale_test

import (
	"os"
	"testing"

	"github.com/appmarket/operator/internal/helm/helmtest"
)

func TestMain(m *testing.M) { os.Exit(helmtest.Run(m)) }
