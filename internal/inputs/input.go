package inputs

// Entrance is a user-facing endpoint of the app.
type Entrance struct {
	Name      string
	Title     string
	Host      string
	Port      int32
	Icon      string
	AuthLevel string
	Invisible bool
}

// Input is a value that the user who installs the app may or must give. An input of an app
// manifest is passed to the chart below .Values.olaresEnv, and an input of the chart at its
// Path.
type Input struct {
	Name        string
	Title       string
	Description string
	// Type is one of string, bool, password, url, email, int and domain.
	Type     string
	Required bool
	Editable bool
	// Default is used if no value is given. Value is set by the app.
	Default string
	Value   string
	// From is the name of the platform input that supplies the value.
	From string
	// Pattern is a regular expression. It may use look-ahead.
	Pattern string
	Options []Option

	// Path is the path in the chart's values, with keys joined by dots, such as
	// "auth.username". It is empty for an input of an app manifest.
	Path string `json:",omitempty"`
	// Preset reports that Default is the value in values.yaml, so that the chart uses it
	// even if it is not passed.
	Preset bool `json:",omitempty"`
	// Number reports that the value is a number that may have a fraction.
	Number bool `json:",omitempty"`
	// Range limits an int or a Number. Length limits the number of characters of any other
	// value. Both are nil if there is no limit.
	Range  *Bounds `json:",omitempty"`
	Length *Bounds `json:",omitempty"`
	// ShowIf is a condition on other inputs, such as "service.type=NodePort&&tls!=true".
	// While it is false, the input is not required.
	ShowIf string `json:",omitempty"`
	// Group is the heading under which a form shows the input. Multiline reports that the value
	// may have several lines.
	Group     string `json:",omitempty"`
	Multiline bool   `json:",omitempty"`
}

// Bounds is an inclusive range. A nil Min or Max means no limit.
type Bounds struct {
	Min *float64 `json:",omitempty"`
	Max *float64 `json:",omitempty"`
}

// Option is one of the allowed values of an input.
type Option struct {
	Title string
	Value string
}
