package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ListingPolicy specifies whether the apps of a source are listed without a review.
// +kubebuilder:validation:Enum=Automatic;Reviewed
type ListingPolicy string

const (
	// ListingAutomatic means that apps are listed as soon as they are published.
	ListingAutomatic ListingPolicy = "Automatic"
	// ListingReviewed means that apps are drafts until a reviewer lists them.
	ListingReviewed ListingPolicy = "Reviewed"
)

// Listing specifies who can install an app.
// +kubebuilder:validation:Enum=Draft;Listed;Suspended;Withdrawn
type Listing string

const (
	// ListingDraft means that only reviewers can install the app, and that it is not in the index
	// of the repository.
	ListingDraft Listing = "Draft"
	// ListingListed means that the app is in the index of the repository and can be installed.
	ListingListed Listing = "Listed"
	// ListingSuspended means that the app cannot be newly installed. Instances can be upgraded, and
	// the app is in the index of the repository.
	ListingSuspended Listing = "Suspended"
	// ListingWithdrawn means that the app can be neither installed nor upgraded, and that it is not
	// in the index of the repository. Instances keep running.
	ListingWithdrawn Listing = "Withdrawn"
)

// AuditEffect specifies the effect of a rule that an app violates.
// +kubebuilder:validation:Enum=Deny;Warn;Ignore
type AuditEffect string

const (
	// AuditDeny means that a version that violates the rule is withheld.
	AuditDeny AuditEffect = "Deny"
	// AuditWarn means that the violation is reported.
	AuditWarn AuditEffect = "Warn"
	// AuditIgnore means that the rule is not evaluated.
	AuditIgnore AuditEffect = "Ignore"
)

// AuditTarget specifies what a rule is evaluated for.
// +kubebuilder:validation:Enum=Object;App
type AuditTarget string

const (
	// AuditTargetObject means that the rule is evaluated for each rendered object.
	AuditTargetObject AuditTarget = "Object"
	// AuditTargetApp means that the rule is evaluated once.
	AuditTargetApp AuditTarget = "App"
)

// ReviewPolicy specifies the requirements that an app must meet before it can be listed.
type ReviewPolicy struct {
	// rules specifies rules in addition to the default rules. A rule that has the name of a default
	// rule replaces it; fields that are not specified have the values of the default rule. If not
	// specified, only the default rules apply.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=50
	Rules []AuditRule `json:"rules,omitempty"`

	// allowedRegistries specifies the registries, or the repositories in them, from which images are
	// allowed, such as registry.example.com or docker.io/library. If not specified, all registries
	// are allowed.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=50
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	AllowedRegistries []string `json:"allowedRegistries,omitempty"`
}

// AuditRule specifies a rule that the objects of an app must satisfy.
type AuditRule struct {
	// name specifies the name of the rule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// target specifies whether the rule is evaluated for each object or once: Object or App.
	// Defaults to the target of the default rule with the same name, otherwise to Object.
	// +optional
	Target AuditTarget `json:"target,omitempty"`

	// expression specifies a CEL expression that is true if the rule is satisfied. It can use the
	// variables object, pod and containers if target is Object, and app and allowedRegistries. It is
	// required unless a default rule has the same name.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	Expression string `json:"expression,omitempty"`

	// message specifies what a finding says about a violation. Defaults to the message of the default
	// rule with the same name, otherwise to a message that contains the expression.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Message string `json:"message,omitempty"`

	// effect specifies the effect of a violation: Deny, Warn or Ignore. Defaults to the effect of the
	// default rule with the same name, otherwise to Deny.
	// +optional
	Effect AuditEffect `json:"effect,omitempty"`
}

// AuditCounts contains the numbers of findings of a version.
type AuditCounts struct {
	// denied is the number of findings because of which the version is withheld.
	// +required
	Denied int32 `json:"denied"`
	// warned is the number of other findings.
	// +required
	Warned int32 `json:"warned"`
}

// AuditFinding is a violation of a rule.
type AuditFinding struct {
	// rule is the name of the rule.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Rule string `json:"rule,omitempty"`
	// object is the kind and the name of the object, such as Deployment/web. It is empty for a rule
	// about the app.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Object string `json:"object,omitempty"`
	// message describes the violation.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
	// effect is the effect of the rule: Deny or Warn.
	// +required
	Effect AuditEffect `json:"effect,omitempty"`
}

// ReviewedDependency is an app that the app or one of its dependencies requires.
type ReviewedDependency struct {
	// app is the name of the app that has the dependency.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	App string `json:"app,omitempty"`
	// requires is the name of the required app.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Requires string `json:"requires,omitempty"`
	// versions is the range of versions that is required. It is empty if every version is allowed.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Versions string `json:"versions,omitempty"`
	// found is the latest version of the required app in the range. It is empty if there is none.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Found string `json:"found,omitempty"`
	// problem describes why the dependency cannot be installed.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Problem string `json:"problem,omitempty"`
}

// AppReview is the result of the checks that are required to list an app.
type AppReview struct {
	// listing is the listing that applies: spec.listing, or Draft if it is not specified and the
	// source requires a review.
	// +required
	Listing Listing `json:"listing,omitempty"`

	// changedBy is the user who set spec.listing, if the cluster records it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	ChangedBy string `json:"changedBy,omitempty"`

	// changedAt is the time at which the operator observed the change of spec.listing.
	// +optional
	ChangedAt *metav1.Time `json:"changedAt,omitempty"`

	// canBeListed indicates whether all checks pass. It is also reported for a draft, so that it is
	// the result of a dry run.
	// +required
	CanBeListed bool `json:"canBeListed"`

	// version is the latest version of the app, to which findings belong.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Version string `json:"version,omitempty"`

	// findings are the first 20 findings of the audit of the latest version. The report audit.json
	// contains more.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=20
	Findings []AuditFinding `json:"findings,omitempty"`

	// dependencies are the dependencies of the app, direct and indirect.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=50
	Dependencies []ReviewedDependency `json:"dependencies,omitempty"`
}
