package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/appmarket/operator/internal/source/index"
)

// Limits of the responses of an app store in bytes.
const (
	maxHashBytes     = 64 << 10
	maxOverviewBytes = 32 << 20
	maxDetailsBytes  = 4 << 20
)

const (
	// detailsBatch is the number of apps whose details are requested at once, as the protocol requires.
	detailsBatch = 10
	// maxStoreID is the maximum length of the identifier of an app.
	maxStoreID = 200
	// maxStoreHash is the maximum length of the hash of the apps.
	maxStoreHash = 256
	// maxStoreLabels is the number of labels of an app that are read.
	maxStoreLabels = 20
)

// Labels with which an app store marks apps, as the marker files of a directory do.
const (
	suspendLabel = "suspend"
	removeLabel  = "remove"
)

// storeHash is the response with the hash of all apps. Other fields are ignored.
type storeHash struct {
	Hash string `json:"hash"`
}

// storeOverview is the response with all apps.
type storeOverview struct {
	Data struct {
		Apps storeApps `json:"apps"`
	} `json:"data"`
}

// detailsRequest requests the details of apps.
type detailsRequest struct {
	AppIDs  []string `json:"app_ids"`
	Version string   `json:"version"`
}

// storeDetails is the response with the details of apps. Apps that do not exist are missing.
type storeDetails struct {
	Apps storeApps `json:"apps"`
}

// storeApps are the documents of apps by their identifiers, at most MaxApps. Decoding a larger number fails
// before they are stored, because each takes more memory than its text.
type storeApps map[string]json.RawMessage

// errTooManyApps indicates that a response has more apps than a source can have.
var errTooManyApps = fmt.Errorf("the app store has more than %d apps", MaxApps)

// UnmarshalJSON decodes an object. Another value is no app.
func (a *storeApps) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return err
	}
	*a = storeApps{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if len(*a) >= MaxApps {
			return errTooManyApps
		}
		(*a)[fmt.Sprint(key)] = value
	}
	return nil
}

// storeApp contains the details of an app that a listing needs. Icon, title and description are used only if the chart
// has none.
type storeApp struct {
	Name           string        `json:"name"`
	Version        string        `json:"version"`
	VersionName    tolerantText  `json:"versionName"`
	ChartName      tolerantText  `json:"chartName"`
	Labels         tolerantTexts `json:"appLabels"`
	LastCommitHash tolerantText  `json:"lastCommitHash"`
	UpdateTime     tolerantText  `json:"updateTime"`
	Icon           tolerantText  `json:"icon"`
	Title          localizedText `json:"title"`
	Description    localizedText `json:"description"`
}

// tolerantText is a text. A value of another type is kept as JSON, so that a change of it is noticed.
type tolerantText string

// UnmarshalJSON decodes any value.
func (t *tolerantText) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	if text == "null" {
		text = ""
	}
	*t = tolerantText(text)
	return nil
}

// tolerantTexts is a list of texts. Values of other types are ignored.
type tolerantTexts []string

// UnmarshalJSON decodes any value.
func (t *tolerantTexts) UnmarshalJSON(data []byte) error {
	var values []tolerantText
	if json.Unmarshal(data, &values) != nil {
		return nil // It is no list.
	}
	for _, value := range values[:min(len(values), maxStoreLabels)] {
		*t = append(*t, string(value))
	}
	return nil
}

// parseStoreApp parses the details of an app.
func parseStoreApp(data json.RawMessage) (storeApp, error) {
	var app storeApp
	if err := json.Unmarshal(data, &app); err != nil {
		return storeApp{}, errors.New("the details of the app are invalid: name and version must be texts")
	}
	return app, nil
}

// hasLabel reports whether an app has a label.
func (a storeApp) hasLabel(label string) bool {
	for _, have := range a.Labels {
		if strings.EqualFold(have, label) {
			return true
		}
	}
	return false
}

// toEntry returns the entry of an app. The fragment of its URL changes when the chart is published again
// with the same version.
func (a storeApp) toEntry() index.Entry {
	file := string(a.ChartName)
	if file == "" {
		file = fmt.Sprintf("%s-%s.tgz", a.Name, a.Version)
	}
	location := url.URL{
		Path: "api/v1/applications/" + a.Name + "/chart", RawQuery: url.Values{"version": {a.Version}, "fileName": {file}}.Encode(),
		Fragment: strings.Trim(string(a.LastCommitHash)+" "+string(a.UpdateTime), " "),
	}
	return index.Entry{Name: a.Name, Version: a.Version, AppVersion: string(a.VersionName), URL: location.String()}
}
