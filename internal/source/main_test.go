package source_test

import (
	"os"
	"testing"

	"github.com/appmarket/operator/test/env"
)

func TestMain(m *testing.M) { os.Exit(env.Run(m)) }
