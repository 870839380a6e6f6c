package inputs

// Entrance is a way into the app.
type Entrance struct {
	Name      string
	Title     string
	Host      string
	Port      int32
	Icon      string
	AuthLevel string
	Invisible bool
}

// Input is a value that the person who installs the app may or must give. That
// of a manifest reaches the chart under .Values.olaresEnv, one of the chart's own
// at its Path.
type Input struct {
	Name        string
	Title       string
	Description string
	// Type is string, bool, password, url, email, int or domain.
	Type     string
	Required bool
	Editable bool
	// Default is used when nothing is given; Value is fixed by the app.
	Default string
	Value   string
	// From names the platform's own input that supplies this one.
	From string
	// Pattern is a regular expression that may use look-ahead.
	Pattern string
	Options []Option

	// Path is where the values of the chart hold it, keys joined by dots, such as
	// "auth.username"; empty for an input of a manifest.
	Path string `json:",omitempty"`
	// Preset says that Default is what values.yaml says, which the chart sees
	// without being given it.
	Preset bool `json:",omitempty"`
	// Number says that the text is that of a number, which may have a fraction.
	Number bool `json:",omitempty"`
	// Range bounds the number of an int or a Number, Length the characters of any
	// other text; nil where there is no bound.
	Range  *Bounds `json:",omitempty"`
	Length *Bounds `json:",omitempty"`
	// ShowIf is a condition on other inputs, as "service.type=NodePort&&tls!=true";
	// while it does not hold, nobody needs to give this one.
	ShowIf string `json:",omitempty"`
}

// Bounds are a least and a greatest value, each allowed itself; nil for none.
type Bounds struct {
	Min *float64 `json:",omitempty"`
	Max *float64 `json:",omitempty"`
}

// InputOption is one of the values that may be given.
type Option struct {
	Title string
	Value string
}
