package bucket

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	// Files of the folder of credentials. They have the names of the keys that a Secret for a Bucket
	// of Flux has.
	accessKeyFile = "accesskey"
	secretKeyFile = "secretkey"
	// keyAge is how long keys are used before their files are read again.
	keyAge = time.Minute
	// maxKeyBytes is the maximum size of a file with a key.
	maxKeyBytes = 4 << 10
)

// newCredentials returns the credentials of a folder, or of the environment if it is empty.
func newCredentials(dir string) (*credentials.Credentials, error) {
	if dir == "" {
		keys := credentials.NewEnvAWS()
		value, err := keys.GetWithContext(nil)
		if err != nil || value.SignerType.IsAnonymous() {
			return nil, errors.New("set a directory of credentials, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
		}
		return keys, nil
	}
	files := &keyFiles{dir: dir}
	if _, err := files.Retrieve(); err != nil {
		return nil, err
	}
	return credentials.New(files), nil
}

// keyFiles are credentials in files that can change. The caller locks it.
type keyFiles struct {
	dir  string
	read time.Time
}

// IsExpired reports whether the files must be read again.
func (f *keyFiles) IsExpired() bool { return time.Since(f.read) > keyAge }

// RetrieveWithCredContext reads the files.
func (f *keyFiles) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return f.Retrieve()
}

// Retrieve reads the files.
func (f *keyFiles) Retrieve() (credentials.Value, error) {
	access, err := readKey(filepath.Join(f.dir, accessKeyFile))
	if err != nil {
		return credentials.Value{}, err
	}
	secret, err := readKey(filepath.Join(f.dir, secretKeyFile))
	if err != nil {
		return credentials.Value{}, err
	}
	f.read = time.Now()
	return credentials.Value{AccessKeyID: access, SecretAccessKey: secret, SignerType: credentials.SignatureV4}, nil
}

func readKey(name string) (key string, err error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	data, err := io.ReadAll(io.LimitReader(file, maxKeyBytes+1))
	if err != nil {
		return "", err
	}
	key = strings.TrimSpace(string(data))
	if key == "" || len(data) > maxKeyBytes {
		return "", fmt.Errorf("%s must contain a key of at most %d bytes", name, maxKeyBytes)
	}
	return key, nil
}
