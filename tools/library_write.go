package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// kindLibraryFile is the kind of target of a write to the live response library.
const kindLibraryFile = "library file"

type uploadLibraryIn struct {
	Name        string `json:"name" jsonschema:"Name in the library" form:"line" range:"1,200"`
	Content     string `json:"content,omitempty" jsonschema:"Text; a line end is added" form:"text" range:"1,49152"`
	Base64      string `json:"base64,omitempty" jsonschema:"Bytes instead of content" form:"base64" range:"1,60000"`
	Description string `json:"description,omitempty" jsonschema:"What it is for" range:"0,200"`
	Parameters  string `json:"parameters,omitempty" jsonschema:"Arguments it takes" range:"0,200"`
	Overwrite   bool   `json:"overwrite,omitempty" jsonschema:"Replace that name"`
	asking
}

// uploadStep is what a frozen upload holds.
type uploadStep struct {
	Content []byte `json:"content"`
	SHA256  string `json:"sha256"`
	// Replaces is the SHA-256 of the file that is there; empty when there must be none.
	Replaces    string `json:"replaces,omitempty"`
	Description string `json:"description,omitempty"`
	Parameters  string `json:"parameters,omitempty"`
}

func uploadLibraryFile() declaration {
	return spec[uploadLibraryIn, requestView]{
		name: "upload_library_file", title: "Upload a library file", toolset: LiveResponse, surface: InToolset, risk: approvals.RiskExecute,
		summary:    "Ask to put a script or file into the live response library. Others must approve it in Slack.",
		positional: []string{"name"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planUpload,
		performs: atOnce(writeUpload, doneUpload),
	}
}

func planUpload(ctx context.Context, s *session, in uploadLibraryIn) (approvals.Plan, error) {
	if text := badLibraryName(in.Name); text != "" {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s %s", quoted(in.Name, 120), text)
	}
	content, err := uploadContent(in.Content, in.Base64)
	if err != nil {
		return approvals.Plan{}, err
	}
	files, err := s.library(ctx)
	if err != nil {
		return approvals.Plan{}, err
	}
	sum := sha256.Sum256(content)
	step := uploadStep{Content: content, SHA256: hex.EncodeToString(sum[:]), Description: in.Description, Parameters: in.Parameters}
	name, preview := in.Name, fmt.Sprintf("Upload %s (%d bytes, SHA-256 %s) to the live response library", quoted(in.Name, 120), len(content), step.SHA256)
	var warnings []string
	if old := libraryFileOf(files, in.Name); old != nil {
		if err := mayReplace(old, step, in.Overwrite); err != nil {
			return approvals.Plan{}, err
		}
		name, step.Replaces = old.FileName, strings.ToLower(old.SHA256)
		preview = fmt.Sprintf("Replace library file %s: SHA-256 old %s, new %s (%d bytes)", quoted(name, 120), step.Replaces, step.SHA256, len(content))
		warnings = append(warnings, fmt.Sprintf("replaces %s, uploaded by %s, last on %s: its content is lost. Old SHA-256 %s, new SHA-256 %s",
			quoted(name, 120), quoted(old.CreatedBy, 80), old.LastUpdatedTime.UTC().Format(time.RFC3339), step.Replaces, step.SHA256))
	}
	warnings = append(warnings, "it begins: "+quoted(string(content[:min(len(content), 2000)]), 400))
	args, err := canonical(step)
	return approvals.Plan{
		Preview: preview, Warnings: warnings,
		Targets: []approvals.Target{{ID: name, Kind: kindLibraryFile, Name: name}},
		Steps:   []approvals.Step{{Action: "upload", Target: name, Args: args, Summary: "upload library file " + quoted(name, 120) + ", SHA-256 " + step.SHA256}},
	}, err
}

func mayReplace(old *mdecore.LibraryFile, step uploadStep, overwrite bool) error {
	switch {
	case !goodSum(old.SHA256):
		return approvals.Refuse(approvals.KindNoAnswer, nil, "Nothing was sent: Defender gives no SHA-256 of %s, which is there already", quoted(old.FileName, 120))
	case strings.EqualFold(old.SHA256, step.SHA256):
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: the library has %s with this very content (SHA-256 %s)", quoted(old.FileName, 120), step.SHA256)
	case !overwrite:
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: the library has a file %s (SHA-256 %s, of %s); choose another name, or set overwrite to replace it",
			quoted(old.FileName, 120), clean(old.SHA256, 64), quoted(old.CreatedBy, 80))
	}
	return nil
}

func writeUpload(ctx context.Context, with hands, t worker.Task) error {
	var step uploadStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return damaged(t, err)
	}
	if sum := sha256.Sum256(step.Content); hex.EncodeToString(sum[:]) != step.SHA256 {
		return damaged(t, fmt.Errorf("its content has another SHA-256 than it states"))
	}
	if err := with.unchanged(ctx, t.Step.Target, step.Replaces); err != nil {
		return unsent(err)
	}
	_, err := with.writer.UploadLibraryFile(ctx, mdecore.UploadLibraryFileRequest{
		FileName: t.Step.Target, File: mdecore.FileContent(step.Content), Description: taggedText(t, step.Description),
		HasParameters: step.Parameters != "", ParametersDescription: step.Parameters, OverrideIfExists: step.Replaces != "",
	})
	return err
}

// taggedText begins with our tag, by which the upload is found again.
func taggedText(t worker.Task, text string) string {
	return strings.TrimSpace(t.Tag + " " + clean(text, 200))
}

// unchanged refuses a write when the library's file is not the one that was seen at the plan; "" means that there was none.
func (h hands) unchanged(ctx context.Context, name, sum string) error {
	files, err := libraryOf(ctx, h.lent)
	if err != nil {
		return err
	}
	f := libraryFileOf(files, name)
	if (f == nil) != (sum == "") || f != nil && !strings.EqualFold(f.SHA256, sum) {
		return libraryChanged(name, sum, f)
	}
	return nil
}

// doneUpload looks for our tag: somebody else may upload the same content.
func doneUpload(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	var step uploadStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return false, damaged(t, err)
	}
	files, err := libraryOf(ctx, with.lent)
	if err != nil {
		return false, err
	}
	f := libraryFileOf(files, t.Step.Target)
	return f != nil && strings.EqualFold(f.SHA256, step.SHA256) && strings.HasPrefix(f.Description, t.Tag), nil
}

type deleteLibraryIn struct {
	Name string `json:"name" jsonschema:"Name in the library" form:"line" range:"1,200"`
	asking
}

// deleteStep is what a frozen deletion holds.
type deleteStep struct {
	SHA256 string `json:"sha256"`
}

func deleteLibraryFile() declaration {
	return spec[deleteLibraryIn, requestView]{
		name: "delete_library_file", title: "Delete a library file", toolset: LiveResponse, surface: InToolset, risk: approvals.RiskExecute,
		summary:    "Ask to delete a file of the live response library. Others must approve it in Slack.",
		positional: []string{"name"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planDeletion,
		performs: atOnce(writeDeletion, doneDeletion),
	}
}

func planDeletion(ctx context.Context, s *session, in deleteLibraryIn) (approvals.Plan, error) {
	files, err := s.library(ctx)
	if err != nil {
		return approvals.Plan{}, err
	}
	f := libraryFileOf(files, in.Name)
	switch {
	case f == nil:
		return approvals.Plan{}, approvals.Refuse(approvals.KindNotFound, nil, "Nothing was sent: the library has no file %s%s", quoted(in.Name, 120), didYouMean(in.Name, libraryNames(files)))
	case !goodSum(f.SHA256):
		return approvals.Plan{}, approvals.Refuse(approvals.KindNoAnswer, nil, "Nothing was sent: Defender gives no SHA-256 of %s, so that nobody could approve its deletion", quoted(f.FileName, 120))
	}
	sum := strings.ToLower(f.SHA256)
	args, err := canonical(deleteStep{SHA256: sum})
	return approvals.Plan{
		Preview: fmt.Sprintf("Delete %s (SHA-256 %s) from the live response library", quoted(f.FileName, 120), sum),
		Warnings: []string{fmt.Sprintf("its content can't be had back from Defender: uploaded by %s, last on %s, %s",
			quoted(f.CreatedBy, 80), f.LastUpdatedTime.UTC().Format(time.RFC3339), quoted(f.Description, 200))},
		Targets: []approvals.Target{{ID: f.FileName, Kind: kindLibraryFile, Name: f.FileName}},
		Steps:   []approvals.Step{{Action: "delete", Target: f.FileName, Args: args, Summary: "delete library file " + quoted(f.FileName, 120)}},
	}, err
}

func writeDeletion(ctx context.Context, with hands, t worker.Task) error {
	var step deleteStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil || step.SHA256 == "" {
		return damaged(t, err)
	}
	if err := with.unchanged(ctx, t.Step.Target, step.SHA256); err != nil {
		return unsent(err)
	}
	return with.writer.DeleteLibraryFile(ctx, t.Step.Target)
}

// doneDeletion takes a file that is gone for deleted: it was there with the approved content when the step was sent, and
// whoever deleted it, what was approved is so.
func doneDeletion(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	files, err := libraryOf(ctx, with.lent)
	return err == nil && libraryFileOf(files, t.Step.Target) == nil, err
}
