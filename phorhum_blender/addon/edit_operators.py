"""What can be done with a person that stands in the scene: looks, light, texture, fewer faces, rig, export."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty

from ..engine.errors import UserError
from .job import sentence_of
from .polls import allowed
from .scene.decimate import decimate, triangle_count
from .scene.export import EXPORTERS, export_person
from .scene.light_rig import light_rig_of, switch_off, switch_on
from .scene.look import LOOKS, show, texture_of
from .scene.normal_map import bake_normal_map, fine_mesh_of
from .scene.person import find_person, has_joints
from .scene.remesh import QUAD, VOXEL, remesh
from .scene.rig import add_rig, rig_of
from .scene.texture import bake_texture
from .translations import CONTEXT, grouped, translate, words


def active_person(context: bpy.types.Context) -> bpy.types.Object | None:
    """The person that is the active object, or that hangs on it; also where there is no window."""
    return find_person(context.view_layer.objects.active) if context.view_layer else None


def why_not(context: bpy.types.Context) -> str:
    """Why nothing can be done with the active object, "" where it is a person that can be worked on."""
    if context.window is None:  # Blender's own operators, which do the work, would not find the active object
        return words("This needs a window of Blender")
    person = active_person(context)
    if person is None:
        return words("Select a person that was reconstructed from a photo")
    if context.mode not in {"OBJECT", "POSE"}:
        return words("Leave the editing of the person first")
    if not person.visible_get():
        return words("Unhide the person first")
    if person.library or person.override_library or person.data.library:
        return words("The person belongs to another file")
    return ""


def _image_size() -> Any:
    """Annotation of an operator that bakes an image."""
    return EnumProperty(
        name="Size",
        translation_context=CONTEXT,
        description="Width and height of the image",
        items=[(str(n), f"{n} px", f"{n} x {n} pixels") for n in (1024, 2048, 4096)],
        default="2048",
    )


class _OnPerson:
    """Mixin: an operator on the active person; ``change`` does it and returns the line that tells the user."""

    in_pose_mode: ClassVar = False  # whether it works while the rig is being posed; else pose mode is left
    report: Any  # from bpy.types.Operator

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return allowed(cls, cls.why_not(context))

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        return why_not(context)

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            if context.mode == "POSE" and not self.in_pose_mode:
                bpy.ops.object.mode_set(mode="OBJECT")
            line = self.change(context, active_person(context))
        except Exception as error:
            self.report({"ERROR"}, sentence_of(error))
            return {"CANCELLED"}
        self.report({"INFO"}, line)
        return {"FINISHED"}


class PHORHUM_OT_show(_OnPerson, bpy.types.Operator):
    """Show the person in the albedo under the scene's light, in the photo's own light, or with its texture"""

    bl_idname = "phorhum.show"
    bl_label = "Show"
    bl_options = {"REGISTER", "UNDO"}
    in_pose_mode = True

    look: EnumProperty(
        name="Look",
        translation_context=CONTEXT,
        description="What of the person's colours is shown",
        items=[
            (LOOKS[0], "Albedo", "The person's own colour, lit by the scene"),
            (LOOKS[1], "Shaded", "The colour with the photo's light in it; the scene's light has no effect"),
            (LOOKS[2], "Texture", "The baked texture, lit by the scene"),
        ],
    )

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        show(person, self.look)
        return words("The person shows: {}").format(words(self.look))


class PHORHUM_OT_toggle_light_rig(_OnPerson, bpy.types.Operator):
    """Switch the lamps and the ambient world that imitate the photo's light on or off"""

    bl_idname = "phorhum.toggle_light_rig"
    bl_label = "Light Rig"
    bl_options = {"REGISTER", "UNDO"}
    in_pose_mode = True

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = why_not(context)
        if not reason and light_rig(active_person(context)) is None:
            return words("The person's light rig was deleted")
        return reason

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        rig = light_rig(person)
        assert rig is not None  # what poll asks for
        if rig.hide_render:
            return " ".join([words("The light rig is on."), *map(translate, switch_on(context.scene, rig))])
        switch_off(context.scene, rig)
        return words("The light rig is off.")


class _Baking(_OnPerson):
    """Mixin: ``bake`` makes an image of the person, as large as the property ``size`` says."""

    bake: ClassVar[Any]  # (context, person, size) -> the image
    size: Any

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        image = self.bake(context, person, int(self.size))
        return words('Baked "{}", {} x {} pixels').format(image.name, self.size, self.size)


class PHORHUM_OT_bake_texture(_Baking, bpy.types.Operator):
    """Unwrap the person, unless it has a UV map already, and turn its albedo into an image"""

    bl_idname = "phorhum.bake_texture"
    bl_label = "Bake Texture"
    bl_options = {"REGISTER", "UNDO"}
    bake = staticmethod(bake_texture)

    size: _image_size()


class PHORHUM_OT_bake_normal_map(_Baking, bpy.types.Operator):
    """Keep the relief of the dense surface as a normal map, once the person was decimated or remeshed"""

    bl_idname = "phorhum.bake_normal_map"
    bl_label = "Bake Normal Map"
    bl_options = {"REGISTER", "UNDO"}
    bake = staticmethod(bake_normal_map)

    size: _image_size()

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = why_not(context)
        if not reason and fine_mesh_of(active_person(context)) is None:
            return words("There is no finer surface to bake from; decimate or remesh the person first")
        return reason


class PHORHUM_OT_decimate(_OnPerson, bpy.types.Operator):
    """Show the person with fewer triangles, by a modifier that can be changed or removed"""

    bl_idname = "phorhum.decimate"
    bl_label = "Decimate"
    bl_options = {"REGISTER", "UNDO"}
    in_pose_mode = True

    triangles: IntProperty(
        name="Triangles",
        translation_context=CONTEXT,
        description="About how many triangles to keep; as many as there are takes the modifier away",
        default=20000,
        min=100,
        soft_max=200000,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        decimate(person, self.triangles)
        return words("About {} triangles").format(grouped(min(self.triangles, triangle_count(person.data))))


class PHORHUM_OT_remesh(_OnPerson, bpy.types.Operator):
    """Lay a new, even surface over the person and carry the colours and the rig over. The old one is hidden"""

    bl_idname = "phorhum.remesh"
    bl_label = "Remesh"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(
        name="Kind",
        translation_context=CONTEXT,
        description="What the new surface is made of",
        items=[
            (QUAD, "Quads", "Quads that follow the shape; takes some seconds"),
            (VOXEL, "Voxels", "Squares of one size; quick, and closes every gap"),
        ],
    )
    quads: IntProperty(
        name="Quads", translation_context=CONTEXT, description="About how many", default=10000, min=500, soft_max=50000
    )
    voxel: FloatProperty(
        name="Voxel",
        translation_context=CONTEXT,
        description="Edge of a voxel",
        default=0.01,
        min=0.002,
        max=0.1,
        unit="LENGTH",
        precision=4,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.prop(self, "kind")
        self.layout.prop(self, "quads" if self.kind == QUAD else "voxel")

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        made = remesh(context, person, self.kind, self.quads if self.kind == QUAD else self.voxel)
        return words("{} faces; the person as it was is hidden").format(grouped(len(made.data.polygons)))


class PHORHUM_OT_add_rig(_OnPerson, bpy.types.Operator):
    """Put an armature into the person and bind the surface to it"""

    bl_idname = "phorhum.add_rig"
    bl_label = "Add Rig"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def why_not(cls, context: bpy.types.Context) -> str:
        reason = why_not(context)
        if reason:
            return reason
        person = active_person(context)
        assert person is not None  # what why_not asks for
        if rig_of(person):
            return words("The person has a rig already")
        if has_joints(person):
            return ""
        return words("This person has no joints: it was made by an older version; reconstruct it again")

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        return words("{} bones").format(len(add_rig(context, person).data.bones))


class PHORHUM_OT_export_person(_OnPerson, bpy.types.Operator):
    """Write the person as a file for other programs, colours included"""

    bl_idname = "phorhum.export_person"
    bl_label = "Export Person"

    filepath: StringProperty(
        name="File",
        translation_context=CONTEXT,
        description=f"Its name ends in one of {', '.join(EXPORTERS)}",
        subtype="FILE_PATH",
    )
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in EXPORTERS), options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            person = active_person(context)
            assert person is not None  # what poll asks for
            self.filepath = f"{bpy.path.clean_name(person.name)}.glb"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def change(self, context: bpy.types.Context, person: bpy.types.Object) -> str:
        if not self.filepath:
            raise UserError("No file was given.", "Set filepath.")
        path = Path(bpy.path.abspath(self.filepath)).absolute()
        export_person(context, person, path)
        without = texture_of(person) is None and path.suffix.lower() in {".fbx", ".obj"}
        if without:
            return words("Wrote {}. Bake a texture for programs that show no colours of vertices").format(path.name)
        return words("Wrote {}").format(path.name)


def light_rig(person: bpy.types.Object | None) -> bpy.types.Collection | None:
    """The light rig of the reconstruction that ``person`` belongs to."""
    if person is None:
        return None
    return next(filter(None, map(light_rig_of, person.users_collection)), None)


CLASSES = (
    PHORHUM_OT_show,
    PHORHUM_OT_toggle_light_rig,
    PHORHUM_OT_bake_texture,
    PHORHUM_OT_bake_normal_map,
    PHORHUM_OT_decimate,
    PHORHUM_OT_remesh,
    PHORHUM_OT_add_rig,
    PHORHUM_OT_export_person,
)
