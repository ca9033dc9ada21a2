// Decodes rendered manifests into Kubernetes' own types, strictly: an unknown field or a wrong type
// is an error. Reads YAML documents on stdin, says what it saw, and ends with 1 if one is wrong.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

func into(kind string) any {
	switch kind {
	case "StatefulSet":
		return &apps.StatefulSet{}
	case "Deployment":
		return &apps.Deployment{}
	case "Service":
		return &core.Service{}
	case "ConfigMap":
		return &core.ConfigMap{}
	case "ServiceAccount":
		return &core.ServiceAccount{}
	case "NetworkPolicy":
		return &networking.NetworkPolicy{}
	case "PodDisruptionBudget":
		return &policy.PodDisruptionBudget{}
	case "HorizontalPodAutoscaler":
		return &autoscaling.HorizontalPodAutoscaler{}
	}
	return nil
}

func main() {
	manifests, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	wrong := false
	for _, document := range bytes.Split(manifests, []byte("\n---\n")) {
		var head struct {
			Kind string `json:"kind"`
		}
		if err := yaml.Unmarshal(document, &head); err != nil {
			fmt.Println("not YAML:", err)
			wrong = true
			continue
		}
		target := into(head.Kind)
		if target == nil {
			if head.Kind != "" {
				fmt.Println("unknown", head.Kind)
			}
			continue
		}
		if err := yaml.UnmarshalStrict(document, target); err != nil {
			fmt.Println("wrong", head.Kind, err)
			wrong = true
			continue
		}
		fmt.Println("ok", head.Kind)
	}
	if wrong {
		os.Exit(1)
	}
}
