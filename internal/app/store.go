package app

import (
	"errors"
	"flag"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/appmarket/operator/internal/bucket"
	"github.com/appmarket/operator/internal/chartrepo"
)

// minRefreshInterval is the minimum of --store-bucket-refresh-interval. Services charge for lists.
const minRefreshInterval = time.Second

// storeOptions configure where published charts are stored.
type storeOptions struct {
	dir    string
	bucket bucket.Config
	// refresh is the interval at which the records of a bucket are listed.
	refresh time.Duration
}

func (o *storeOptions) addFlags(f *flag.FlagSet) {
	f.StringVar(&o.dir, "store-dir", "/var/lib/appmarket", "Directory for uploaded charts and, without --store-bucket, for published charts. It must exist.")
	f.StringVar(&o.bucket.Name, "store-bucket", "", "Name of an S3-compatible bucket for published charts, from which several replicas can serve them. It must exist. If empty, they are stored in --store-dir.")
	f.StringVar(&o.bucket.Endpoint, "store-bucket-endpoint", "", "URL of the service of the bucket, for example https://s3.eu-central-1.amazonaws.com. Required with --store-bucket.")
	f.StringVar(&o.bucket.Region, "store-bucket-region", bucket.DefaultRegion, "Region of the bucket.")
	f.StringVar(&o.bucket.Prefix, "store-bucket-prefix", "", "Folder in the bucket. Defaults to the whole bucket.")
	f.TextVar(&o.bucket.Addressing, "store-bucket-addressing", bucket.AddressingAuto, "How requests name the bucket: Path, VirtualHost, or Auto, which uses virtual hosts for services that are known to require them.")
	f.StringVar(&o.bucket.CredentialsDir, "store-bucket-credentials-dir", "", "Directory with the files accesskey and secretkey. If empty, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the environment are used.")
	f.StringVar(&o.bucket.CAFile, "store-bucket-ca-file", "", "File with the certificates of the authorities that are trusted for the service of the bucket. Defaults to the authorities of the system.")
	f.DurationVar(&o.refresh, "store-bucket-refresh-interval", 10*time.Second, "Interval at which each replica lists the charts of the bucket, and thus the time until a replica that is not the leader serves a new chart.")
}

// validate returns an error if flags do not fit together.
func (o *storeOptions) validate() error {
	if o.bucket.Name == "" {
		if o.bucket.Endpoint != "" {
			return errors.New("--store-bucket-endpoint: requires --store-bucket")
		}
		return nil
	}
	if o.bucket.Endpoint == "" {
		return errors.New("--store-bucket-endpoint: Required value")
	}
	if err := o.bucket.Validate(); err != nil {
		return fmt.Errorf("--store-bucket: %w", err)
	}
	if o.refresh < minRefreshInterval {
		return fmt.Errorf("--store-bucket-refresh-interval: Invalid value: %s: must be at least %s", o.refresh, minRefreshInterval)
	}
	return nil
}

// description returns where charts are stored, for the log.
func (o *storeOptions) description() string {
	if o.bucket.Name == "" {
		return o.dir
	}
	return "bucket " + o.bucket.Name
}

// openStore opens the store of published charts. With a bucket, only the leader changes files, which
// is the process for which elected is closed.
func (o *storeOptions) openStore(options chartrepo.Options, elected <-chan struct{}) (*chartrepo.Store, error) {
	if o.bucket.Name == "" {
		store, err := chartrepo.Open(o.dir, options)
		if err != nil {
			return nil, fmt.Errorf("--store-dir: %w", err)
		}
		return store, nil
	}
	files, err := bucket.New(o.bucket)
	if err != nil {
		return nil, fmt.Errorf("--store-bucket: %w", err)
	}
	options.CanChange = func() bool {
		select {
		case <-elected:
			return true
		default:
			return false
		}
	}
	store, err := chartrepo.OpenStorage(files, options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("--store-bucket: %w", err), files.Close())
	}
	return store, nil
}

// addRefresher adds the reading of records that another replica has changed.
func (p *components) addRefresher(mgr ctrl.Manager, o *options) error {
	if o.store.bucket.Name == "" {
		return nil
	}
	return mgr.Add(&chartrepo.Refresher{Store: p.store, Interval: o.store.refresh})
}
