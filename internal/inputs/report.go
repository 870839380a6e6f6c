package inputs

// ReportedInput is an Input in the report inputs.json.
type ReportedInput struct {
	Name        string           `json:"name"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Type        string           `json:"type"`
	Required    bool             `json:"required,omitempty"`
	Editable    bool             `json:"editable,omitempty"`
	Default     string           `json:"default,omitempty"`
	Value       string           `json:"value,omitempty"`
	From        string           `json:"from,omitempty"`
	Pattern     string           `json:"pattern,omitempty"`
	Options     []ReportedOption `json:"options,omitempty"`
	Path        string           `json:"path,omitempty"`
	Preset      bool             `json:"preset,omitempty"`
	Number      bool             `json:"number,omitempty"`
	Range       *ReportedBounds  `json:"range,omitempty"`
	Length      *ReportedBounds  `json:"length,omitempty"`
	ShowIf      string           `json:"showIf,omitempty"`
	Group       string           `json:"group,omitempty"`
	Multiline   bool             `json:"multiline,omitempty"`
}

// ReportedOption is an Option in the report inputs.json.
type ReportedOption struct {
	Title string `json:"title,omitempty"`
	Value string `json:"value"`
}

// ReportedBounds is Bounds in the report inputs.json.
type ReportedBounds struct {
	Min *float64 `json:"min,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// ToReport converts inputs for the report. Values of passwords are omitted.
func ToReport(list []Input) []ReportedInput {
	all := make([]ReportedInput, 0, len(list))
	for _, in := range list {
		one := ReportedInput{
			Name: in.Name, Title: in.Title, Description: in.Description, Type: in.Type, Required: in.Required, Editable: in.Editable,
			Default: in.Default, Value: in.Value, From: in.From, Pattern: in.Pattern, Path: in.Path, Preset: in.Preset, Number: in.Number,
			Range: (*ReportedBounds)(in.Range), Length: (*ReportedBounds)(in.Length), ShowIf: in.ShowIf, Group: in.Group, Multiline: in.Multiline,
		}
		if in.Type == "password" {
			one.Default, one.Value = "", ""
		}
		for _, option := range in.Options {
			one.Options = append(one.Options, ReportedOption(option))
		}
		all = append(all, one)
	}
	return all
}

// FromReport converts the inputs of a report, at most MaxChartInputs.
func FromReport(list []ReportedInput) []Input {
	all := make([]Input, 0, min(len(list), MaxChartInputs))
	for _, in := range list[:min(len(list), MaxChartInputs)] {
		one := Input{
			Name: in.Name, Title: in.Title, Description: in.Description, Type: in.Type, Required: in.Required, Editable: in.Editable,
			Default: in.Default, Value: in.Value, From: in.From, Pattern: in.Pattern, Path: in.Path, Preset: in.Preset, Number: in.Number,
			Range: (*Bounds)(in.Range), Length: (*Bounds)(in.Length), ShowIf: in.ShowIf, Group: in.Group, Multiline: in.Multiline,
		}
		for _, option := range in.Options[:min(len(in.Options), MaxInputOptions)] {
			one.Options = append(one.Options, Option(option))
		}
		all = append(all, one)
	}
	return all
}
